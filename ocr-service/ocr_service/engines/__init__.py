"""The seam between the service and whatever finds and reads text: one Protocol, and a table of names.

`rapid` and `paddle` run the same weights (PP-OCRv6 small) and gave the same text on all 45 of a set of test pictures.
Measured by `tests/bench/ocr` on an AMD EPYC with AVX-512, one thread, processor time per picture; memory over many
pictures of up to 1 megapixel, libraries included, then what a further instance adds before its first picture:

| engine | runtime | a picture | load and warm up | memory | a further one |
|---|---|---|---|---|---|
| `rapid` | OpenVINO, 32-bit floats | 0.44 s | 1.6 to 2.2 s | 1.0 GB | 0.2 GB |
| `paddle` | ONNX Runtime | 0.42 s | 2.7 to 3.0 s | 0.9 GB | 0.15 GB |

`rapid` is the default: level here, and on processors with AMX OpenVINO took about half of ONNX Runtime's time for the
same networks. Which packages, weights and settings an engine needs is data, so that `usable` imports none of them.

Two more things an engine may be, independent of each other: one that gives a page's Markdown itself (`page`, and
"markdown" in what it can), and one that is asked over the network (`RemoteEngine`): it has no thread and is awaited,
with several calls in flight.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box, Polygon
from cleanplate.contract.problems import EngineUnusable, Invalid, Problem
from ocr_service.engines import needs, weights
from ocr_service.engines.model_folders import Runtime
from ocr_service.engines.needs import EngineOptions
from ocr_service.engines.recognizers import RECOGNIZERS

__all__ = [
    "DEFAULT",
    "ENGINES",
    "Describer",
    "EngineEntry",
    "EngineOptions",
    "Line",
    "PageEngine",
    "PageText",
    "Piece",
    "ReadOptions",
    "RemoteEngine",
    "TextEngine",
    "Word",
    "languages",
    "load",
    "reading",
    "refuse",
    "refuse_all",
    "usable",
]


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineEntry:
    """What an engine needs, and what it is good for.

    Attributes:
        packages: that must be installed.
        weights: files of the package `rapidocr`.
        missing: says what else is missing, by the operator's settings; empty if nothing.
        can: "lines" of text with their places, "words", "markdown" of its own, "pictures" on a page, "languages" that
            it is told.
        runtime: says what runs its `TextModels`; None where it has none.
        most_copies: of it in one process; what fills a GPU's memory has one.
    """

    packages: tuple[str, ...]
    weights: tuple[str, ...]
    about: str
    missing: Callable[[EngineOptions], str]
    can: frozenset[str] = frozenset({"lines", "words", "languages"})
    runtime: Callable[[EngineOptions], Runtime | None] = lambda _: "onnxruntime"
    most_copies: int = 64


DEFAULT = "rapid"
ENGINES: Mapping[str, EngineEntry] = MappingProxyType(
    {
        "rapid": EngineEntry(
            ("rapidocr", "openvino", "cv2"),
            (weights.DETECTION, weights.RECOGNITION, weights.ORIENTATION),
            "RapidOCR's steps on OpenVINO; the same text as paddle, at least as fast on most processors",
            needs.rapid,
        ),
        "paddle": EngineEntry(
            ("paddleocr", "paddlex", "rapidocr", "onnxruntime", "cv2"),
            (weights.DETECTION, weights.RECOGNITION),
            "PaddleOCR's own pipeline on ONNX Runtime or paddlepaddle; the reference",
            needs.paddle,
            runtime=lambda options: options.paddle_runtime,
        ),
        "structure": EngineEntry(
            ("paddleocr", "paddlex", "rapidocr", "onnxruntime", "cv2"),
            (weights.DETECTION, weights.RECOGNITION),
            "PP-StructureV3: a page with its tables, formulas and pictures, in process",
            needs.structure,
            frozenset({"lines", "markdown", "pictures", "languages"}),
            most_copies=1,
        ),
        "openai": EngineEntry(
            ("aiohttp",),
            (),
            "any vision model behind OpenAI's API: OpenAI, DashScope, vLLM, Ollama",
            needs.openai,
            frozenset({"lines", "markdown", "languages"}),
            runtime=lambda _: None,
        ),
        "deepseek": EngineEntry(
            ("aiohttp",),
            (),
            "DeepSeek-OCR, served by vLLM or in process by Transformers",
            needs.deepseek,
            frozenset({"lines", "markdown", "pictures"}),
            runtime=lambda _: None,
            most_copies=1,
        ),
    }
)


@dataclass(frozen=True)
class Word:
    """A word inside a line, or a single character of a script without spaces."""

    polygon: Polygon
    text: str


@dataclass(frozen=True)
class Line:
    """One line of text.

    `polygon` has 4 or more corners in pixels of the picture that was read, clockwise from the corner that is the
    text's top left. `score` is the recognizer's confidence, 0 to 1. `text` is empty where something was found that
    could not be read. `upside_down` is None where nobody looked; the polygon is as found, whatever it says.
    """

    polygon: Polygon
    text: str
    score: float
    upside_down: bool | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class ReadOptions:
    """How to read; the names are PaddleX's, the thresholds PaddleOCR 3.7's for PP-OCRv6.

    With `det_limit_type` "max" a picture whose longer side has more than `det_limit_side_len` pixels is scaled down to
    it before detection, with "min" one whose shorter side has fewer is scaled up. A pixel is text from `det_thresh`, a
    box from `det_box_thresh`; boxes grow by `det_unclip_ratio` times area over perimeter. `languages` are BCP 47's
    codes; who loads an engine has seen to it that its models read them.

    Raises:
        Invalid: a value is out of range.
    """

    det_limit_side_len: int = 960
    det_limit_type: Literal["max", "min"] = "max"
    det_thresh: float = 0.3
    det_box_thresh: float = 0.6
    det_unclip_ratio: float = 1.5
    rec_score_thresh: float = 0.0
    textline_orientation: bool = False
    doc_orientation: bool = False
    doc_unwarping: bool = False
    word_boxes: bool = False
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.det_limit_type not in ("max", "min"):
            raise Invalid("must be max or min", field="det_limit_type")
        for name, least, most in _RANGES:
            if not least <= getattr(self, name) <= most:
                raise Invalid(f"must be between {least} and {most}", field=name)


_RANGES = (
    ("det_limit_side_len", 32, 4000),
    ("det_thresh", 0.01, 0.99),
    ("det_box_thresh", 0.01, 1.0),
    ("det_unclip_ratio", 0.1, 10.0),
    ("rec_score_thresh", 0.0, 1.0),
)


@dataclass(frozen=True)
class Piece:
    """A piece of a page in an engine's own Markdown, or a picture.

    `box` is in pixels of the page, None where the engine does not say. `label` is the engine's own name for it.
    """

    kind: Literal["markdown", "picture"]
    markdown: str = ""
    box: Box | None = None
    label: str = ""


@dataclass(frozen=True)
class PageText:
    """A page as an engine gives it that writes Markdown itself, and what is to be said about it."""

    pieces: tuple[Piece, ...]
    warnings: tuple[str, ...] = ()


class TextEngine(Protocol):
    """Finds and reads lines of text. An instance takes one call at a time; several may run in several threads."""

    name: str
    model: str
    calls_at_once: int

    def warm_up(self) -> None:
        """Make the first real call as fast as the later ones."""

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        """Read a picture.

        Args:
            rgb: (H, W, 3) uint8, RGB, at least 32 pixels high and wide.
            options: how.

        Returns:
            The lines in the order in which PaddleOCR lists them.

        Raises:
            Invalid: an option that this engine does not have.
        """

    def close(self) -> None:
        """Give the memory back; the engine is not used afterwards."""


class PageEngine(TextEngine, Protocol):
    """A `TextEngine` that also gives a page's Markdown."""

    def page(self, rgb: NDArray[np.uint8], options: ReadOptions) -> PageText:
        """Read a page, (H, W, 3) uint8 RGB; see `TextEngine.read`."""


@runtime_checkable
class RemoteEngine(Protocol):
    """An engine somewhere else. It is awaited, so it needs no thread; `calls_at_once` calls may be in flight."""

    name: str
    model: str
    calls_at_once: int

    async def lines(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        """Read a picture, (H, W, 3) uint8 RGB of any size; see `TextEngine.read`.

        Raises:
            Invalid: an option that this engine does not have.
            UpstreamFailed: and its subclasses, what asking it raises.
            TimedOut: it was too slow.
        """

    async def page(self, rgb: NDArray[np.uint8], options: ReadOptions) -> PageText:
        """Read a page; raises the same."""

    async def aclose(self) -> None:
        """Hang up."""


@runtime_checkable
class Describer(Protocol):
    """An engine that can say what a picture shows."""

    async def describe(self, rgb: NDArray[np.uint8]) -> str:
        """Say it in one line, of a picture, (H, W, 3) uint8 RGB; raises what `RemoteEngine.lines` does."""


def usable(name: str, options: EngineOptions | None = None) -> tuple[bool, str]:
    """Say whether the engine can be loaded here, and why not; the reason is empty if it can. Imports no library.

    Args:
        name: a key of `ENGINES`.
        options: the operator's; without them nothing is set.

    Raises:
        Invalid: there is no engine of this name.
    """
    entry = _entry(name)
    missing = [package for package in entry.packages if importlib.util.find_spec(package) is None]
    if missing:
        return False, f"not installed: {', '.join(missing)}"
    try:
        for file in entry.weights:
            weights.embedded(file)
    except EngineUnusable as problem:
        return False, problem.detail
    reason = entry.missing(options or EngineOptions())
    return not reason, reason


def languages(name: str, options: EngineOptions) -> list[str] | None:
    """Return the codes of all languages that an engine reads with the models that are here; None: nobody knows."""
    entry = _entry(name)
    if (runtime := entry.runtime(options)) is None:
        return None
    return sorted(set().union(*(RECOGNIZERS[one].languages for one in options.text.recognizers(runtime))))


def reading(name: str, options: EngineOptions, codes: Sequence[str]) -> EngineOptions:
    """Return the options with which an engine reads these languages, with its own models where they do.

    Raises:
        Invalid: it cannot, or there is no such engine.
    """
    if not codes:
        return options
    entry = _entry(name)
    if "languages" not in entry.can:
        raise Invalid(f"the engine {name} cannot be told the languages", field="languages")
    runtime = entry.runtime(options)
    return options if runtime is None else replace(options, text=options.text.reading(codes, runtime))


def load(
    name: str = DEFAULT, *, threads: int = 1, cache: Path | None = None, options: EngineOptions | None = None
) -> TextEngine | RemoteEngine:
    """Import the engine's libraries and load its weights.

    Args:
        name: a key of `ENGINES`.
        threads: how many a single call may use; one per lane is fastest over several lanes.
        cache: where prepared weights are kept; `weights.default_cache()` when not given.
        options: the operator's, for the engines that need any.

    Raises:
        Invalid: there is no engine of this name.
        EngineUnusable: it cannot be used here.
    """
    ok, reason = usable(name, options)
    if not ok:
        raise EngineUnusable(f"the engine {name} cannot be used here: {reason}")
    module = importlib.import_module(f"{__name__}.{name}")
    try:
        engine: TextEngine | RemoteEngine = module.load(
            threads=threads, cache=cache, options=options or EngineOptions()
        )
    except Problem:
        raise
    except Exception as error:  # what the libraries raise for broken models is of no common kind
        log.warning("the engine %s cannot be loaded", name, exc_info=error)
        raise EngineUnusable(f"the engine {name} cannot be loaded; the log says why") from error
    return engine


def refuse(engine: str, options: ReadOptions, *fields: str) -> None:
    """Turn down the options that an engine does not have, so that none is silently ignored.

    Raises:
        Invalid: one of the fields is switched on.
    """
    for field in fields:
        if getattr(options, field):
            raise Invalid(f"the engine {engine} has no model for this", field=field)


def refuse_all(engine: str, options: ReadOptions) -> None:
    """Turn down whatever is not as by default, for an engine that cannot be told how to read.

    Raises:
        Invalid: a field has another value.
    """
    for field in fields(ReadOptions):
        if getattr(options, field.name) != field.default:
            raise Invalid(f"the engine {engine} cannot be told this", field=field.name)


def _entry(name: str) -> EngineEntry:
    if name not in ENGINES:
        raise Invalid(f"there is no engine {name!r}; there are {', '.join(ENGINES)}", field="engine")
    return ENGINES[name]
