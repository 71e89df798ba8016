"""The crop plan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.contract.problems import Invalid
from inpaint_service import crops
from inpaint_service.crops import CropOptions
from inpaint_service.patches import Edges
from inpaint_service.windows import Window


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Edges], tuple[int, int], CropOptions]:
    height, width = draw(st.integers(1, 900)), draw(st.integers(1, 900))
    boxes = []
    for _ in range(draw(st.integers(1, 8))):
        left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        boxes.append((left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))))
    options = CropOptions(
        context=draw(st.floats(0, 3)),
        context_min_px=draw(st.integers(0, 200)),
        call_px=draw(st.integers(0, 20_000)),
        largest_side_px=draw(st.integers(64, 500)),
        step_px=draw(st.sampled_from([1, 8, 32])),
    )
    return boxes, (height, width), options


Situation = tuple[list[Edges], tuple[int, int], CropOptions]


@given(situations())
@settings(max_examples=100, deadline=None)
def test_no_window_misses_its_region_exceeds_the_bound_or_leaves_the_picture(situation: Situation) -> None:
    boxes, size, options = situation
    windows = crops.windows(boxes, size, options)
    assert max(window.longest_px for window in windows) <= options.largest_side_px
    _check(boxes, size, windows)


@given(situations(), st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_no_window_of_iopaints_strategies_misses_its_region_or_leaves_the_picture(
    situation: Situation, margin_px: int
) -> None:
    boxes, size, _ = situation
    _check(boxes, size, crops.contour_windows(boxes, size, margin_px))
    _check(boxes, size, [crops.whole(boxes, size)])


def _check(boxes: list[Edges], size: tuple[int, int], windows: list[Window]) -> None:
    """Hold that each box is covered by the cores of the windows that serve it, and each of these touches it."""
    for window in windows:
        left, top, right, bottom = window.edges
        x0, y0, x1, y1 = window.core
        assert 0 <= left <= x0 < x1 <= right <= size[1]
        assert 0 <= top <= y0 < y1 <= bottom <= size[0]
    for index, (left, top, right, bottom) in enumerate(boxes):
        covered = np.zeros(size, bool)
        for window in windows:
            if index in window.regions:
                x0, y0, x1, y1 = window.core
                assert x0 < right
                assert left < x1
                assert y0 < bottom
                assert top < y1
                covered[y0:y1, x0:x1] = True
        assert covered[top:bottom, left:right].all()


@given(situations())
@settings(max_examples=50, deadline=None)
def test_sides_are_multiples_of_the_step_where_picture_and_bound_let_them(situation: Situation) -> None:
    boxes, size, options = situation
    step_px = options.step_px
    for window in crops.windows(boxes, size, options):
        for side, limit in zip(window.shape, size, strict=True):
            assert side % step_px == 0 or side + step_px - side % step_px > min(limit, options.largest_side_px)


def test_a_window_shows_context_on_every_side() -> None:
    [window] = crops.windows([(300, 300, 400, 340)], (1000, 1000), CropOptions(context=2.0, context_min_px=10))
    assert window == Window((220, 220, 480, 420), (300, 300, 400, 340), (0,))


def test_lines_of_a_paragraph_share_a_window() -> None:
    lines = [(100, 100 + 30 * line, 400, 120 + 30 * line) for line in range(5)]
    [window] = crops.windows(lines, (1000, 1000))
    assert window.regions == (0, 1, 2, 3, 4)
    assert window.core == (100, 100, 400, 240)


def test_regions_in_opposite_corners_do_not() -> None:
    assert len(crops.windows([(0, 0, 50, 20), (900, 900, 950, 920)], (1000, 1000))) == 2


def test_merging_never_costs_area() -> None:
    boxes = [(0, 0, 300, 20), (0, 0, 20, 300)]
    options = CropOptions(context=0, context_min_px=0, call_px=0)
    assert len(crops.windows(boxes, (400, 400), options)) == 2


def test_contour_windows_move_inwards_at_the_border() -> None:
    [window] = crops.contour_windows([(0, 0, 20, 20)], (200, 200), 30)
    assert window.edges == (0, 0, 80, 80)


def test_a_bound_that_no_window_could_keep_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        CropOptions(largest_side_px=10)
    assert caught.value.field == "largest_side_px"


def test_five_hundred_regions_are_planned_at_once() -> None:
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 3900, (500, 2))
    boxes = [(int(x), int(y), int(x) + 90, int(y) + 30) for x, y in corners]
    assert crops.windows(boxes, (4000, 4000))
