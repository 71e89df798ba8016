"""A page's own text as if it had been read: what a PDF says of itself, see `cleanplate.runtime.pdf.layers`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box
from cleanplate.contract.messages import Detection
from cleanplate.runtime.pdf.layers import TextWord
from ocr_service.detect import in_order, region
from ocr_service.engines import Line, Word

ENGINE, MODEL = "text layer", "PDF"
_CONTRAST = 24  # gray levels; with less in its box a line is not seen


def read_layer(rgb: NDArray[np.uint8], lines: Sequence[Sequence[TextWord]], *, words: bool) -> Detection | None:
    """Return the lines of a page, (H, W, 3) uint8 RGB; None if not all of them can be seen there."""
    height, width = rgb.shape[:2]
    found = in_order([_line(line, words=words) for line in lines], width, height)
    if len(found) < len(lines) or not all(_is_seen(rgb, line) for line in lines):
        return None
    regions = [region(line, f"r{number}") for number, line in enumerate(found, 1)]
    return Detection(width=width, height=height, engine=ENGINE, model=MODEL, regions=regions)


def _line(line: Sequence[TextWord], *, words: bool) -> Line:
    each = tuple(Word(box.polygon(), word) for word, box in line) if words else ()
    return Line(_around(line).polygon(), " ".join(word for word, _ in line), 1.0, words=each)


def _around(line: Sequence[TextWord]) -> Box:
    _, around = line[0]
    for _, box in line[1:]:
        around = around.union(box)
    return around


def _is_seen(rgb: NDArray[np.uint8], line: Sequence[TextWord]) -> bool:
    left, top, right, bottom = _around(line).clip(rgb.shape[1], rgb.shape[0]).pixels()
    part = rgb[top:bottom, left:right]
    return bool(part.size) and int(np.ptp(part, axis=(0, 1)).max()) >= _CONTRAST
