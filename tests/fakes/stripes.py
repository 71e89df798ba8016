"""A page with a bar, and an engine that is sure of it when it stands upright."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box
from ocr_service.engines import Line, ReadOptions, Word

Picture = NDArray[np.uint8]
SIZE = (300, 200)
BAR = Box(40, 60, 120, 20)


class Stripes:
    """Reads a bar whose left, or upper, end is black and whose other end is gray; surely, if it is so."""

    name, model, calls_at_once = "stripes", "none", 1

    def warm_up(self) -> None: ...

    def close(self) -> None: ...

    def read(self, rgb: Picture, options: ReadOptions) -> list[Line]:
        assert not options.doc_orientation
        rows, columns = np.nonzero(rgb[:, :, 0] < 200)
        if not rows.size:
            return []
        box = Box(*map(float, (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)))
        across, upright = box.width > box.height, rgb[rows.min(), columns.min(), 0] == 0
        text, score = ("stripes", 0.95) if across and upright else ("sadints", 0.6)
        left = Box(box.x, box.y, box.width / 2, box.height).polygon()
        return [Line(box.polygon(), text, score, words=(Word(left, text),) if options.word_boxes else ())]


def page() -> Picture:
    picture = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    x, y, right, bottom = BAR.pixels()
    picture[y:bottom, x:right] = 100
    picture[y:bottom, x : x + 60] = 0
    return picture
