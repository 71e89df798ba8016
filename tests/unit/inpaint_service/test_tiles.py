"""Windows that are too large."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inpaint_service import crops, tiles
from inpaint_service.crops import CropOptions
from inpaint_service.windows import Window

LINE = (0, 50, 1000, 90)
SIZE = 600, 600


def test_the_cores_of_tiles_overlap_by_the_seam_that_both_share() -> None:
    windows = crops.windows([LINE], (140, 1000), CropOptions(largest_side_px=400))
    assert len(windows) > 2
    assert (windows[0].shared[0], windows[-1].shared[2]) == (0, 0)
    for one, other in itertools.pairwise(windows):
        assert one.core[2] - other.core[0] == tiles.SEAM_PX == one.shared[2] == other.shared[0]
        assert one.edges[2] > one.core[2]
        assert other.edges[0] < other.core[0]


@st.composite
def large_windows(draw: st.DrawFn) -> tuple[Window, int, int]:
    """A window that may itself be a tile, its context, and a bound."""
    left, top = draw(st.integers(0, 100)), draw(st.integers(0, 100))
    core = (left, top, left + draw(st.integers(64, 400)), top + draw(st.integers(64, 400)))
    shared = tuple(draw(st.sampled_from([0, tiles.SEAM_PX])) for _ in range(4))
    context_px = draw(st.integers(0, 100))
    edges = (max(0, left - context_px), max(0, top - context_px), core[2] + context_px, core[3] + context_px)
    window = Window(edges, core, (0,), (shared[0], shared[1], shared[2], shared[3]))
    return window, context_px, draw(st.integers(128, 300))


@given(large_windows())
@settings(max_examples=100, deadline=None)
def test_every_pixel_is_written_and_for_the_last_time_by_one_tile_unless_the_next_window_does(
    situation: tuple[Window, int, int],
) -> None:
    window, context_px, bound_px = situation
    written, final = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    cut = tiles.cut(window, context_px, written.shape, bound_px)
    for tile in cut:
        written[tile.place][tile.inner] += 1
        final[tile.place][tile.final] += 1
        assert tile.longest_px <= bound_px
    core, expected = np.zeros_like(written), np.zeros_like(written)
    core[window.place][window.inner] = 1
    expected[window.place][window.final] = 1
    assert np.array_equal(written > 0, core > 0)
    assert np.array_equal(final, expected)


@given(large_windows())
@settings(max_examples=50, deadline=None)
def test_a_tile_fades_only_from_what_an_earlier_one_has_painted(situation: tuple[Window, int, int]) -> None:
    window, context_px, bound_px = situation
    painted = np.zeros(SIZE, np.uint8)
    left, top, right, bottom = window.core
    if window.shared[0]:
        painted[top:bottom, : left + window.shared[0]] = 1
    if window.shared[1]:
        painted[: top + window.shared[1], left:right] = 1
    for tile in tiles.cut(window, context_px, painted.shape, bound_px):
        old = np.zeros((*tile.shape, 3), np.uint8)
        faded = tiles.blended(tile, old, np.full_like(old, 200))[:, :, 0] < 200
        assert not (faded & (painted[tile.place] == 0)).any()
        painted[tile.place][tile.inner] = 1


def test_a_seam_is_a_ramp() -> None:
    tile = Window((0, 0, 60, 4), (10, 0, 50, 4), (0,), (9, 0, 0, 0))
    old = np.zeros((4, 60, 3), np.uint8)
    faded = tiles.blended(tile, old, np.full_like(old, 100))
    assert faded[2, 10:20, 0].tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert (faded[:, 19:] == 100).all()
