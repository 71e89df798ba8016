"""The seam between the service and whatever finds and reads text: one Protocol, and a table of names.

Both engines run the same weights (PP-OCRv6 small) and gave the same text on all 45 of a set of test pictures. Measured
by `tests/bench/ocr.py` on an AMD EPYC with AVX-512, one thread, processor time per picture; memory over many pictures
of up to 1 megapixel, libraries included, then what a further instance adds before its first picture:

| engine | runtime | a picture | load and warm up | memory | a further one |
|---|---|---|---|---|---|
| `rapid` | OpenVINO, 32-bit floats | 0.44 s | 1.6 to 2.2 s | 1.0 GB | 0.2 GB |
| `paddle` | ONNX Runtime | 0.42 s | 2.7 to 3.0 s | 0.9 GB | 0.15 GB |

`rapid` is the default: level here, and on processors with AMX OpenVINO took about half of ONNX Runtime's time for the
same networks. Which packages and weights an engine needs is data, so that `usable` imports none of them.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Polygon
from cleanplate.contract.problems import EngineUnavailable, Invalid
from ocr_service.engines import weights

__all__ = ["DEFAULT", "ENGINES", "EngineEntry", "Line", "ReadOptions", "TextEngine", "Word", "load", "refuse", "usable"]


@dataclass(frozen=True)
class EngineEntry:
    """What an engine needs, and what it is good for."""

    packages: tuple[str, ...]
    weights: tuple[str, ...]
    about: str


DEFAULT = "rapid"
ENGINES: Mapping[str, EngineEntry] = MappingProxyType(
    {
        "rapid": EngineEntry(
            ("rapidocr", "openvino", "cv2"),
            (weights.DETECTION, weights.RECOGNITION, weights.ORIENTATION),
            "RapidOCR's steps on OpenVINO; the same text as paddle, at least as fast on most processors",
        ),
        "paddle": EngineEntry(
            ("paddleocr", "paddlex", "rapidocr", "onnxruntime", "cv2"),
            (weights.DETECTION, weights.RECOGNITION),
            "PaddleOCR's own pipeline on ONNX Runtime; the reference",
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
    box from `det_box_thresh`; boxes grow by `det_unclip_ratio` times area over perimeter.

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


def usable(name: str) -> tuple[bool, str]:
    """Say whether the engine can be loaded here, and why not; the reason is empty if it can. Imports no library.

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
    except EngineUnavailable as problem:
        return False, problem.detail
    return True, ""


def load(name: str = DEFAULT, *, threads: int = 1, cache: Path | None = None) -> TextEngine:
    """Import the engine's libraries and load its weights.

    Args:
        name: a key of `ENGINES`.
        threads: how many a single call may use; one per lane is fastest over several lanes.
        cache: where prepared weights are kept; `weights.default_cache()` when not given.

    Raises:
        Invalid: there is no engine of this name.
        EngineUnavailable: it cannot be used here.
    """
    ok, reason = usable(name)
    if not ok:
        raise EngineUnavailable(f"the engine {name} cannot be used here: {reason}")
    module = importlib.import_module(f"{__name__}.{name}")
    engine: TextEngine = module.load(threads=threads, cache=cache)
    return engine


def refuse(engine: str, options: ReadOptions, *fields: str) -> None:
    """Turn down the options that an engine does not have, so that none is silently ignored.

    Raises:
        Invalid: one of the fields is switched on.
    """
    for field in fields:
        if getattr(options, field):
            raise Invalid(f"the engine {engine} has no model for this", field=field)


def _entry(name: str) -> EngineEntry:
    if name not in ENGINES:
        raise Invalid(f"there is no engine {name!r}; there are {', '.join(ENGINES)}", field="engine")
    return ENGINES[name]
