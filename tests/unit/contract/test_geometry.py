"""Boxes and polygons."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanplate.contract.geometry import Box, Polygon, area, bounds, clip_polygon, is_convex, text_height

numbers = st.floats(-1000, 1000)
boxes = st.builds(Box, numbers, numbers, st.floats(0, 500), st.floats(0, 500))
SQUARE = Box(0, 0, 10, 10).polygon()


def turned(polygon: Polygon, degrees: float) -> Polygon:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple((x * cos - y * sin, x * sin + y * cos) for x, y in polygon)


def test_a_box_has_four_corners_clockwise_from_the_top_left() -> None:
    assert Box(1, 2, 3, 4).polygon() == ((1, 2), (4, 2), (4, 6), (1, 6))


@given(boxes, boxes)
def test_a_union_holds_both_and_overlap_is_mutual(one: Box, other: Box) -> None:
    union = one.union(other)
    assert union == other.union(one)
    for box in (one, other):
        assert (union.x, union.y) <= (box.x, box.y)
        assert union.right >= box.right - 1e-9
        assert union.bottom >= box.bottom - 1e-9
    assert one.overlaps(other) == other.overlaps(one)


def test_boxes_that_only_touch_do_not_overlap() -> None:
    assert not Box(0, 0, 10, 10).overlaps(Box(10, 0, 5, 5))
    assert Box(0, 0, 10, 10).overlaps(Box(9.9, 0, 5, 5))


@given(boxes, boxes)
def test_what_two_boxes_share_is_mutual_and_at_most_the_smaller(one: Box, other: Box) -> None:
    shared = one.shared(other)
    assert shared == other.shared(one) <= min(one.area, other.area) * (1 + 1e-9) + 1e-9
    assert one.overlaps(other) or shared == 0
    assert Box(0, 0, 10, 10).shared(Box(6, 7, 10, 10)) == 12


@given(boxes)
def test_a_clipped_box_lies_inside_and_clipping_again_changes_nothing(box: Box) -> None:
    clipped = box.clip(200, 100)
    assert 0 <= clipped.x <= 200
    assert 0 <= clipped.y <= 100
    assert clipped.right <= 200 + 1e-9
    assert clipped.bottom <= 100 + 1e-9
    again = clipped.clip(200, 100)
    assert (again.x, again.y) == (clipped.x, clipped.y)
    assert again.width == pytest.approx(clipped.width)
    assert again.height == pytest.approx(clipped.height)


def test_a_box_outside_clips_to_no_area() -> None:
    for box in (Box(-50, 0, 20, 20), Box(300, 0, 20, 20), Box(0, 200, 20, 20)):
        assert box.clip(200, 100).area == 0


def test_a_box_shrunk_past_its_size_has_no_area() -> None:
    assert Box(0, 0, 4, 4).grow(-3).area == 0
    assert Box(0, 0, 4, 4).grow(1) == Box(-1, -1, 6, 6)


def test_pixels_are_all_that_the_box_touches() -> None:
    assert Box(0.5, -0.5, 1, 1).pixels() == (0, -1, 2, 1)
    assert Box(3, 4, 5, 6).pixels() == (3, 4, 8, 10)


def test_scaling_scales_all_four() -> None:
    assert Box(1, 2, 3, 4).scale(2) == Box(2, 4, 6, 8)


def test_bounds_hold_every_point() -> None:
    assert bounds([(1, 5), (4, 2), (3, 9)]) == Box(1, 2, 3, 7)
    with pytest.raises(ValueError, match="unpack"):
        bounds([])


def test_an_area_does_not_depend_on_direction_or_start() -> None:
    assert area(SQUARE) == area(SQUARE[::-1]) == area((*SQUARE[2:], *SQUARE[:2])) == 100
    assert area(turned(SQUARE, 33)) == pytest.approx(100)
    assert area(()) == 0


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 360))
def test_clipping_a_polygon_keeps_the_part_inside(x: float, y: float, degrees: float) -> None:
    polygon = tuple((px + x, py + y) for px, py in turned(SQUARE, degrees))
    clipped = clip_polygon(polygon, 20, 20)
    assert area(clipped) <= 100 + 1e-6
    for px, py in clipped:
        assert -1e-6 <= px <= 20 + 1e-6
        assert -1e-6 <= py <= 20 + 1e-6
    box = bounds(polygon)
    if box.clip(20, 20) == box:
        assert area(clipped) == pytest.approx(100)
    if not box.overlaps(Box(0, 0, 20, 20)):
        assert area(clipped) == pytest.approx(0, abs=1e-6)


def test_an_upright_polygon_clips_as_its_box_does() -> None:
    box = Box(-5, 3, 20, 40)
    assert bounds(clip_polygon(box.polygon(), 10, 30)) == box.clip(10, 30)
    assert clip_polygon(Box(50, 50, 5, 5).polygon(), 10, 10) == ()
    assert clip_polygon((), 10, 10) == ()


@pytest.mark.parametrize("degrees", [0, 17, 90, 201])
def test_the_height_of_a_turned_line_of_text_is_that_of_the_line(degrees: float) -> None:
    assert text_height(turned(Box(0, 0, 200, 24).polygon(), degrees)) == pytest.approx(24)


def test_the_height_of_a_bent_line_tends_to_that_of_the_band() -> None:
    top = [(float(x), 0.0) for x in range(0, 1001, 100)]
    band = (*top, *((x, 20.0) for x, _ in reversed(top)))
    assert text_height(band) == pytest.approx(20, rel=0.05)
    assert text_height(((1, 1), (1, 1), (1, 1))) == 0
    assert text_height(()) == 0


def test_a_polygon_is_convex_whichever_way_it_runs_and_not_with_a_dent() -> None:
    square = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0))
    assert is_convex(square)
    assert is_convex(square[::-1])
    assert not is_convex((*square, (2.0, 2.0)))
