"""Pages that lie on their side or their head, with an engine that is sure of what stands upright."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box, Point
from ocr_service.detect import read_page, region
from ocr_service.engines import Line, ReadOptions, Word
from ocr_service.orientation import turned_back

Picture = NDArray[np.uint8]
SIZE = (300, 200)
BAR = Box(40, 60, 120, 20)
UPRIGHT = ReadOptions(doc_orientation=True, word_boxes=True)


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


@pytest.mark.parametrize(
    ("turns", "angle", "begins"), [(0, 0, (40, 60)), (1, -90, (60, 260)), (2, 180, (260, 140)), (3, 90, (140, 40))]
)
def test_a_turned_page_is_read_upright_and_told_as_it_lies(turns: int, angle: float, begins: Point) -> None:
    turned = np.rot90(page(), turns)
    reading = read_page(turned, Stripes(), UPRIGHT)
    assert reading.quarter_turns == (4 - turns) % 4
    (line,) = reading.lines
    assert (line.text, line.polygon[0], line.words[0].polygon[0]) == ("stripes", begins, begins)
    assert region(line, "r1").angle == angle
    xs, ys = zip(*line.polygon, strict=True)
    inside = turned[int(min(ys)) : int(max(ys)), int(min(xs)) : int(max(xs)), 0]
    assert inside.size == BAR.area
    assert (inside < 200).all()


def test_a_page_is_left_as_it_lies_unless_that_is_asked_for() -> None:
    reading = read_page(np.rot90(page(), 2), Stripes(), ReadOptions())
    assert (reading.quarter_turns, reading.lines[0].text) == (0, "sadints")


def test_a_column_that_is_read_badly_whichever_way_it_is_turned_stays_as_it_lies() -> None:
    column = np.full((200, 100, 3), 255, np.uint8)
    column[20:180, 40:60] = 100
    assert read_page(column, Stripes(), UPRIGHT).quarter_turns == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 9000), (9000, 3)])
def test_a_page_of_any_shape_may_be_looked_at(size: tuple[int, int]) -> None:
    assert read_page(np.full((*size, 3), 255, np.uint8), Stripes(), UPRIGHT).lines == []


def test_an_empty_page_is_not_turned() -> None:
    reading = read_page(np.full((80, 50, 3), 255, np.uint8), Stripes(), UPRIGHT)
    assert (reading.quarter_turns, reading.lines) == (0, [])


def test_turning_a_line_back_four_times_leaves_it_where_it_was() -> None:
    line = Line(BAR.polygon(), "t", 1.0)
    back, (width, height) = line, SIZE
    for _ in range(4):
        width, height = height, width
        back = turned_back(back, 1, width, height)
    assert back == line
