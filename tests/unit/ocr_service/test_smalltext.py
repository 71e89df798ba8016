"""Where small text seems to be, on drawn pages, and that it is looked at once more, enlarged."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cleanplate.contract.geometry import Box
from ocr_service.detect import detect
from ocr_service.engines import Line, ReadOptions
from ocr_service.smalltext import Area, areas

Picture = NDArray[np.uint8]
TEXT = "Hamburg 2024, invoice number seventeen"
AT = (200, 150)


def page(size: float, *, ink: str = "black", paper: str = "white") -> Picture:
    image = Image.new("RGB", (600, 400), paper)
    ImageDraw.Draw(image).text(AT, TEXT, ink, ImageFont.load_default(size))
    return np.asarray(image)


class Reads:
    """Reads one line at a place of the picture that it is shown, if that is not the whole."""

    name, model, calls_at_once = "reads", "none", 1

    def __init__(self, whole: tuple[int, int], score: float = 0.9):
        self._whole, self._score = whole, score
        self.shapes: list[tuple[int, ...]] = []

    def warm_up(self) -> None: ...

    def close(self) -> None: ...

    def read(self, rgb: Picture, options: ReadOptions) -> list[Line]:
        self.shapes.append(rgb.shape)
        height, width = rgb.shape[:2]
        placed = Box(width / 4, height / 4, width / 2, height / 2).polygon()
        return [] if (height, width) == self._whole else [Line(placed, "read", self._score)]


@pytest.mark.parametrize("size", [7, 8, 9])
@pytest.mark.parametrize(("ink", "paper"), [("black", "white"), ("white", "navy"), ("#a02020", "#ffe0a0")])
def test_a_row_of_small_letters_is_found_whatever_its_color(size: float, ink: str, paper: str) -> None:
    (area,) = areas(page(size, ink=ink, paper=paper), [], 1.0)
    drawn = ImageFont.load_default(size).getbbox(TEXT)
    assert area.x <= AT[0] + drawn[0]
    assert area.y <= AT[1] + drawn[1]
    assert area.x + area.width >= AT[0] + drawn[2]
    assert area.y + area.height >= AT[1] + drawn[3]
    assert 1.0 < area.zoom <= 2.0


def test_what_was_large_enough_for_the_first_look_is_not_looked_at_again() -> None:
    assert areas(page(22), [], 1.0) == []
    assert areas(page(12), [], 0.5) != []


def test_what_is_a_line_already_is_not_looked_at_again() -> None:
    known = Line(Box(190, 145, 300, 20).polygon(), TEXT, 0.9)
    assert areas(page(8), [known], 1.0) == []


def test_rules_screens_and_noise_are_no_text() -> None:
    picture = np.full((400, 600, 3), 255, np.uint8)
    picture[50:53, 20:500] = 0  # a rule
    picture[100:300:6, 20:300] = 0  # a grid
    picture[100:300, 20:300:6] = 0
    for y in range(100, 300, 5):  # a printer's screen
        for x in range(320, 580, 5):
            picture[y : y + 3, x + y % 2 : x + y % 2 + 3] = 0
    assert areas(picture, [], 1.0) == []
    noise = np.random.default_rng(1).integers(0, 256, (400, 600, 3), np.uint8)
    assert areas(noise, [], 1.0) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3)])
def test_a_tiny_picture_has_no_areas(size: tuple[int, int]) -> None:
    assert areas(np.zeros((*size, 3), np.uint8), [], 1.0) == []


def test_the_area_is_read_enlarged_and_its_line_lies_in_the_picture() -> None:
    picture = page(7)
    (area,) = areas(picture, [], 1.0)
    engine = Reads(picture.shape[:2])
    (region,) = detect(picture, engine).regions
    assert engine.shapes[1][1] == round(area.width * area.zoom)
    assert region.box.x == pytest.approx(area.x + area.width / 4, abs=0.01)
    assert region.box.height == pytest.approx(area.height / 2, abs=0.01)


def test_what_can_hardly_be_read_enlarged_is_no_text() -> None:
    picture = page(7)
    assert detect(picture, Reads(picture.shape[:2], score=0.6)).regions == []


def test_a_picture_is_looked_at_once_where_nobody_wants_windows() -> None:
    picture = page(7)
    engine = Reads(picture.shape[:2])
    detect(picture, engine, tiled=False)
    assert len(engine.shapes) == 1


def test_rows_near_each_other_are_one_area_and_the_lowest_says_how_much_it_is_enlarged() -> None:
    picture = page(9).copy()
    picture[170:190] = page(7)[150:170]
    (area,) = areas(picture, [], 1.0)
    assert isinstance(area, Area)
    assert area.zoom == max(found.zoom for size in (7, 9) for found in areas(page(size), [], 1.0))


def test_a_picture_full_of_scattered_rows_has_no_more_areas_than_can_be_looked_at() -> None:
    picture = np.full((1600, 1600, 3), 255, np.uint8)
    drawn = page(7)[150:165, 200:330]
    for top in range(20, 1560, 75):
        for left in range(20, 1400, 200):
            picture[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    assert len(areas(picture[:800], [], 1.0)) > 50
    assert len(areas(picture, [], 1.0)) == 100
