"""A line of text is looked at in windows of one shape, and what is found goes back to where it was."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inpaint_service.lines import HEIGHT_PX, TEXT_PX, LineWindow, line_windows

Point = tuple[float, float]


def turned(center: Point, length: float, height: float, degrees: float) -> list[Point]:
    angle = math.radians(degrees)
    along, down = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    corners = [np.array(center) + along * length / 2 * x + down * height / 2 * y for x, y in signs]
    return [(float(x), float(y)) for x, y in corners]


def shown_at(window: LineWindow, point: Point) -> np.ndarray:
    return window.matrix[:, :2] @ (np.array(point) - 0.5) + window.matrix[:, 2]


@given(length=st.floats(4, 2000), height=st.floats(3, 300), degrees=st.floats(-180, 180), x=st.floats(-100, 3000))
def test_every_point_of_a_line_is_shown_by_a_window_and_at_one_text_height(
    length: float, height: float, degrees: float, x: float
) -> None:
    assume(abs(length - height) > 0.3 * min(length, height))  # a square has no direction
    windows = line_windows(turned((x, 50.0), length, height, degrees))
    longer, shorter = max(length, height), min(length, height)
    assert windows[0].scale == pytest.approx(TEXT_PX / max(shorter, 1), rel=0.01)
    angle = math.radians(degrees if length >= height else degrees + 90)
    for share in np.linspace(-0.5, 0.5, 9):
        point = (x + math.cos(angle) * longer * share, 50 + math.sin(angle) * longer * share)
        places = [(shown_at(window, point), window.width_px) for window in windows]
        assert any(-1 <= u <= width_px and -1 <= v <= HEIGHT_PX for (u, v), width_px in places)


@pytest.mark.parametrize("degrees", [0, 17, 90, -60])
def test_what_is_seen_in_a_window_goes_back_to_its_pixels(degrees: float) -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[140:152, 150:160] = 255
    outline = turned((150, 150), 140, 36, degrees)
    (window,) = line_windows(outline)
    seen = np.asarray(window.look(picture)[:, :, 0] / np.float32(255), np.float32)
    back = window.back(seen, (0, 0, 300, 300))
    assert np.abs((back > 0.5).astype(int) - (picture[:, :, 0] > 0)).sum() <= 40
    assert back[:100].max() == 0


def test_a_tall_line_is_averaged_and_not_sampled_when_it_is_scaled_down() -> None:
    picture = np.zeros((720, 2880, 3), np.uint8)
    picture[:, ::2] = 255
    window = line_windows(turned((1440, 360), 2000, 700, 0))[0]
    inner = window.look(picture)[20:44, 100:150]
    assert inner.min() > 100
    assert inner.max() < 155


def test_an_upright_letter_stays_upright() -> None:
    for outline in (turned((50, 50), 30, 30, 0), turned((50, 50), 31, 30, 0), turned((50, 50), 30, 31, 0)):
        (window,) = line_windows(outline)
        assert window.matrix[0, 0] > 0
        assert abs(window.matrix[0, 1]) < 0.01


def test_past_the_border_the_picture_repeats_its_edge() -> None:
    picture = np.full((20, 40, 3), 200, np.uint8)
    (window,) = line_windows(turned((20, 10), 40, 20, 0))
    assert window.look(picture).min() == 200


def test_a_short_word_gets_a_narrow_window() -> None:
    assert [line_windows(turned((50, 50), length, 36, 0))[0].width_px for length in (40, 100, 200)] == [96, 144, 256]
