"""How an engine is to read, and turning down what it cannot be told."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from cleanplate.contract.problems import Invalid


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
