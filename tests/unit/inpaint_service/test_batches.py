"""Which windows go to the model together."""

from __future__ import annotations

from inpaint_service.batches import batched
from inpaint_service.windows import Window


def window(left: int, top: int, width: int, height: int, shared: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Window:
    edges = (left, top, left + width, top + height)
    return Window(edges, edges, (0,), shared)


def test_windows_of_one_shape_go_together_and_no_more_than_the_model_takes() -> None:
    small = [window(100 * index, 0, 64, 32) for index in range(5)]
    large = window(0, 100, 128, 32)
    assert batched([small[0], large, *small[1:]], 2) == [tuple(small[:2]), (large,), tuple(small[2:4]), (small[4],)]


def test_a_model_that_takes_one_gets_one() -> None:
    windows = [window(100 * index, 0, 64, 32) for index in range(3)]
    assert batched(windows, 1) == [(one,) for one in windows]


def test_a_tile_goes_alone() -> None:
    tiles = [window(0, 0, 64, 32, (0, 0, 8, 0)), window(56, 0, 64, 32, (8, 0, 0, 0))]
    assert batched([*tiles, window(0, 100, 64, 32)], 4) == [(tiles[0],), (tiles[1],), (window(0, 100, 64, 32),)]
