"""The seam between the service and whatever finds and reads text: one Protocol, and a table of names.

| name | runs | reads like PaddleOCR | seconds per picture, one thread |
|---|---|---|---|
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Polygon
from cleanplate.contract.problems import EngineUnavailable, Invalid, NotFound, Problem

__all__ = ["DEFAULT", "ENGINES", "EngineEntry", "Line", "ReadOptions", "TextEngine", "Word", "load", "usable"]


@dataclass(frozen=True)
class Word:
    """A word, or a single character of a script without spaces, inside a line."""

    polygon: Polygon
    text: str


@dataclass(frozen=True)
class Line:
    """One line of text.

    `polygon` has 4 or more corners in pixels of the picture that was read, clockwise from the text's top left. `score`
    is the recognizer's confidence, 0 to 1. `text` may be empty where something was found that could not be read.
    `upside_down` is None where nobody looked.
    """

    polygon: Polygon
    text: str
    score: float
    upside_down: bool | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class ReadOptions:
    """How to read; the names and defaults are those of PaddleOCR 3.7 for PP-OCRv6.

    `det_limit_side_len` in pixels: with `max` longer pictures are scaled down to it before detection, with `min` shorter
    ones up. `det_thresh` makes a pixel text, `det_box_thresh` a box; `det_unclip_ratio` is how far a box grows.

    Raises:
        Invalid: a value out of range.
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
    ("det_box_thresh", 0.0, 1.0),
    ("det_unclip_ratio", 0.1, 10.0),
    ("rec_score_thresh", 0.0, 1.0),
)
