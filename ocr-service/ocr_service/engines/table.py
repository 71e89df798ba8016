"""The engines by name: which packages, weights and settings each needs, as data. Imports none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cleanplate.contract.problems import Invalid
from ocr_service.engines import needs, weights
from ocr_service.engines.model_folders import Runtime
from ocr_service.engines.needs import EngineOptions


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


def entry(name: str) -> EngineEntry:
    """Return an engine's row. Raises Invalid: there is none."""
    if name not in ENGINES:
        raise Invalid(f"there is no engine {name!r}; there are {', '.join(ENGINES)}", field="engine")
    return ENGINES[name]
