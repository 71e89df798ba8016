"""Pages that lie on their side or their head, with an engine that is sure of what stands upright."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.contract.geometry import Box, Point, bounds
from cleanplate.contract.messages import BoxModel, DetectedRegion, Detection
from ocr_service.detect import detect, read_page, region
from ocr_service.engines import Line, ReadOptions
from ocr_service.figures import Figure
from ocr_service.layout import layout
from ocr_service.orientation import placed_back, turned_back, upright
from tests.fakes.stripes import BAR, SIZE, Stripes, page

UPRIGHT = ReadOptions(doc_orientation=True, word_boxes=True)


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


@pytest.mark.parametrize("turns", range(4))
def test_a_region_of_a_turned_page_is_known_upright(turns: int) -> None:
    found = detect(np.rot90(page(), turns), Stripes(), UPRIGHT)
    assert found.quarter_turns == -turns % 4
    (lying,) = found.regions
    region = upright(lying, found.quarter_turns, found.width, found.height)
    assert (region.id, region.text, region.angle, tuple(region.polygon)) == (lying.id, "stripes", 0, BAR.polygon())
    assert (region.box.x, region.box.width) == (BAR.x, BAR.width)


@pytest.mark.parametrize("turns", range(4))
def test_a_turned_page_is_laid_out_upright_and_told_as_it_lies(turns: int) -> None:
    boxes = {"Title": Box(20, 10, 160, 40), "one": Box(20, 70, 200, 16), "two": Box(20, 90, 200, 16)}
    picture = Box(20, 120, 100, 60)
    width, height = SIZE[::-1] if turns % 2 else SIZE

    def lying(id: str, box: Box) -> DetectedRegion:
        polygon = placed_back(box.polygon(), turns, width, height)
        model = BoxModel.of(bounds(polygon))
        angle = (0, 90, 180, -90)[turns]
        return DetectedRegion(id=id, polygon=list(polygon), box=model, text=id, score=1, angle=angle)

    regions = [lying(id, box) for id, box in boxes.items()]
    seen = Detection(width=width, height=height, engine="a", model="b", regions=regions, quarter_turns=turns)
    told = layout(1, seen, [Figure("a.jpg", picture)])
    assert [block["kind"] for block in told["blocks"]] == ["heading", "paragraph", "picture"]
    assert told["markdown"].startswith("# Title\n\none two\n")
    assert told["blocks"][0]["box"] == regions[0].box.model_dump()
    assert Box(**told["blocks"][2]["box"]) == bounds(placed_back(picture.polygon(), turns, width, height))
    assert [region["polygon"] for region in told["regions"]] == [region.polygon for region in regions]
