"""Windows, merging and reading order, with engines that read colored bars instead of text."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box
from ocr_service.detect import detect, read_page, reading_order
from ocr_service.engines import Line, ReadOptions, Word
from ocr_service.tiles import Window, merge, plan, shift

Picture = NDArray[np.uint8]


class BarReader:
    """Takes every black bar for a line; where it lies in the picture is its text. Forgets bars scaled below 4 px."""

    name, model, calls_at_once = "bars", "none", 1

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[int, ...], ReadOptions]] = []

    def warm_up(self) -> None: ...

    def close(self) -> None: ...

    def read(self, rgb: Picture, options: ReadOptions) -> list[Line]:
        self.calls.append((rgb.shape, options))
        assert min(rgb.shape[:2]) >= 32
        scale = min(1.0, options.det_limit_side_len / max(rgb.shape[:2]))
        ink = np.ascontiguousarray((rgb[:, :, 0] < 128).astype(np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(ink)
        boxes = [Box(*map(float, row[:4])) for row in stats[1:]]
        return [Line(box.polygon(), "bar", 0.9) for box in boxes if box.height * scale >= 4]


class Saying:
    """Says the same about every picture."""

    name, model, calls_at_once = "saying", "none", 1

    def __init__(self, *lines: Line) -> None:
        self.lines = lines

    def warm_up(self) -> None: ...

    def close(self) -> None: ...

    def read(self, rgb: Picture, options: ReadOptions) -> list[Line]:
        return list(self.lines)


def white(width: int, height: int) -> Picture:
    return np.full((height, width, 3), 255, np.uint8)


def bar(picture: Picture, x: int, y: int, width: int, height: int) -> None:
    picture[y : y + height, x : x + width] = 0


def line(x: float, y: float, width: float, height: float, text: str = "t", score: float = 0.9) -> Line:
    return Line(Box(x, y, width, height).polygon(), text, score)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (31, 5)])
def test_a_tiny_picture_has_no_regions_and_no_error(size: tuple[int, int]) -> None:
    found = detect(white(*size), BarReader())
    assert (found.width, found.height, found.regions) == (*size, [])


def test_an_ordinary_picture_is_read_once_with_the_options_as_they_are() -> None:
    engine, options = BarReader(), ReadOptions(det_box_thresh=0.4)
    detect(white(2000, 1500), engine, options)
    assert engine.calls == [((1500, 2000, 3), options)]


def test_a_long_strip_is_read_once_without_scaling_down() -> None:
    engine = BarReader()
    detect(white(3000, 60), engine)
    assert [options.det_limit_side_len for _, options in engine.calls] == [3000]


@pytest.mark.parametrize("size", [(3000, 2800), (900, 9000), (9000, 700), (6000, 40)])
def test_every_small_line_of_a_large_picture_is_found_exactly_once(size: tuple[int, int]) -> None:
    picture, placed = white(*size), 0
    for y in range(3, size[1] - 12, 60):
        for x in range(5, size[0] - 105, 190):
            bar(picture, x, y, 100, 10)
            placed += 1
    boxes = {(r.box.x, r.box.y, r.box.width, r.box.height) for r in detect(picture, BarReader()).regions}
    assert len(boxes) == placed
    assert all((width, height) == (100, 10) for _, _, width, height in boxes)


def test_without_windows_small_lines_of_a_large_picture_are_lost() -> None:
    picture = white(3200, 2500)
    bar(picture, 100, 100, 100, 10)
    assert detect(picture, BarReader(), tiled=False).regions == []


@pytest.mark.parametrize(("box"), [Box(700, 500, 2500, 700), Box(40, 30, 3400, 16), Box(1000, 20, 14, 2400)])
def test_a_line_longer_than_a_window_is_one_region(box: Box) -> None:
    picture = white(3500, 2500)
    bar(picture, *map(int, (box.x, box.y, box.width, box.height)))
    assert [r.box.model_dump() for r in detect(picture, BarReader()).regions] == [
        {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
    ]


def test_windows_cover_the_picture_and_none_is_larger_than_an_engine_reads_unscaled() -> None:
    covered = np.zeros((5001, 2403), bool)
    whole, *windows = plan(2403, 5001)
    assert whole == Window(0, 0, 2403, 5001, whole=True)
    for w in windows:
        assert max(w.width, w.height) <= 1280
        covered[w.y : w.y + w.height, w.x : w.x + w.width] = True
    assert covered.all()


def test_the_pieces_of_a_line_give_one_text_without_what_both_show() -> None:
    left, right = Window(0, 0, 1000, 100), Window(900, 0, 1000, 100)
    found = [
        (left, [line(300, 10, 700, 30, "the quick bro", 0.9)]),
        (right, [line(900, 11, 600, 29, "k brown fox", 0.8)]),
    ]
    (joined,) = merge(found, 1900, 100)
    assert joined.text == "the quick brown fox"
    assert joined.score == 0.8
    assert joined.polygon == Box(300, 10, 1200, 30).polygon()


def test_a_line_that_no_window_shows_whole_is_joined_though_its_pieces_overlap_by_most_of_it() -> None:
    left, right = Window(0, 0, 1171, 100), Window(979, 0, 1171, 100)
    found = [
        (left, [line(953, 10, 217, 20, "LINE 002 OF THE STC")]),
        (right, [line(979, 10, 225, 20, "NE 002 OF THE STORY")]),
    ]
    (joined,) = merge(found, 2150, 100)
    assert (joined.text, joined.polygon) == ("LINE 002 OF THE STORY", Box(953, 10, 251, 20).polygon())


def test_what_the_whole_seems_to_show_does_not_replace_what_a_window_surely_shows() -> None:
    whole, window = Window(0, 0, 800, 9000, whole=True), Window(0, 0, 800, 1266)
    seen = line(205, 600, 250, 20, "LINE 038", 0.99)
    blur = line(100, 560, 500, 120, "rorory", 0.6)
    assert merge([(whole, [blur]), (window, [seen])], 800, 9000) == [seen]
    large = line(100, 560, 500, 120, "LARGE", 0.97)
    assert merge([(whole, [large]), (window, [seen])], 800, 9000) == [large]


def test_the_words_of_a_joined_line_are_there_once() -> None:
    def piece(x: float, *texts: str) -> Line:
        words = tuple(Word(Box(x + 50 * i, 10, 40, 20).polygon(), text) for i, text in enumerate(texts))
        return replace(line(x, 10, 50 * len(texts), 20, " ".join(texts)), words=words)

    left, right = Window(0, 0, 1000, 100), Window(900, 0, 1000, 100)
    (joined,) = merge([(left, [piece(800, "a", "b", "c", "d")]), (right, [piece(900, "c", "d", "e")])], 1900, 100)
    assert (joined.text, "".join(word.text for word in joined.words)) == ("a b c d e", "abcde")


def test_lines_are_sorted_by_rows_and_then_from_left_to_right() -> None:
    lines = [
        line(300, 12, 80, 20, "b"),
        line(10, 60, 80, 20, "c"),
        line(10, 10, 80, 20, "a"),
        line(200, 55, 9, 20, "d"),
    ]
    assert "".join(found.text for found in reading_order(lines)) == "abcd"


def test_a_tall_column_does_not_make_one_row_of_the_lines_beside_it() -> None:
    lines = [line(0, 0, 20, 100, "|"), line(40, 60, 90, 20, "2"), line(50, 30, 90, 20, "1"), line(30, 85, 90, 20, "3")]
    assert [found.text for found in reading_order(lines) if found.text != "|"] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("polygon", "upside_down", "angle"),
    [
        (((0, 0), (100, 0), (100, 20), (0, 20)), None, 0.0),
        (((0, 0), (100, 100), (90, 110), (-10, 10)), False, 45.0),
        (((0, 0), (20, 0), (20, 100), (0, 100)), None, 90.0),
        (((0, 0), (100, 0), (100, 20), (0, 20)), True, 180.0),
        (((100, 20), (0, 19.9999), (0, 0), (100, 0)), False, 180.0),
        (((0, 0), (20, 0), (20, 100), (0, 100)), True, -90.0),
    ],
)
def test_the_angle_is_that_of_the_baseline_clockwise(
    polygon: tuple[tuple[float, float], ...], upside_down: bool | None, angle: float
) -> None:
    found = detect(white(300, 300), Saying(shift(Line(polygon, "t", 0.5, upside_down), 50, 50)))
    assert found.regions[0].angle == angle


ARCH = ((0.0, 40.0), (50.0, 0.0), (100.0, 40.0), (80.0, 50.0), (50.0, 25.0), (20.0, 50.0))


def test_a_bent_line_runs_from_its_first_edge_to_its_last() -> None:
    (across,) = detect(white(120, 80), Saying(Line(ARCH, "arch", 0.9))).regions
    (back,) = detect(white(120, 80), Saying(Line(ARCH, "arch", 0.9, upside_down=True))).regions
    assert (across.angle, back.angle) == (0, 180)
    assert (across.polygon[0], back.polygon[0]) == (ARCH[0], ARCH[3])


def test_a_line_below_an_arch_is_not_taken_for_a_part_of_it() -> None:
    whole, window = Window(0, 0, 400, 200, whole=True), Window(0, 0, 400, 200)
    arch = Line(tuple((3 * x, 2 * y) for x, y in ARCH), "arch", 0.9)
    below = line(90, 60, 120, 36)
    assert merge([(whole, []), (window, [arch, below])], 400, 200) == [arch, below]


def test_the_polygon_of_a_line_upside_down_begins_where_its_text_does() -> None:
    polygon = ((10.0, 10.0), (110.0, 10.0), (110.0, 30.0), (10.0, 30.0))
    (region,) = detect(white(200, 200), Saying(Line(polygon, "t", 0.5, upside_down=True))).regions
    assert region.polygon == [*polygon[2:], *polygon[:2]]


def test_regions_are_numbered_and_stay_inside_the_picture() -> None:
    engine = Saying(line(180, 50, 50, 20, "over the edge"), line(500, 10, 9, 9, "outside"), line(5, 5, 9, 9, "in", 1.2))
    found = detect(white(200, 100), engine)
    assert [(r.id, r.text, r.score) for r in found.regions] == [("r1", "in", 1.0), ("r2", "over the edge", 0.9)]
    assert found.regions[1].box.model_dump() == {"x": 180, "y": 50, "width": 20, "height": 20}
    assert (found.engine, found.model, set(found.timings)) == ("saying", "none", {"read", "total"})


def test_lines_keep_their_words_at_the_right_place() -> None:
    word = Word(Box(1, 1, 5, 5).polygon(), "w")
    said = Line(Box(1, 1, 9, 9).polygon(), "w", 1.0, words=(word,))
    lines = read_page(white(900, 9000), Saying(said), ReadOptions(word_boxes=True)).lines
    assert all(found.words[0].polygon[0] == found.polygon[0] for found in lines)
