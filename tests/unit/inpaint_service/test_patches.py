"""Pieces of masks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inpaint_service.patches import Patch, paint, united

SIZE = (30, 40)
Boxes = list[tuple[int, int, int, int]]


def patch(*boxes: tuple[int, int, int, int]) -> Patch:
    pixels = np.zeros(SIZE, np.uint8)
    for left, top, width, height in boxes:
        pixels[top : top + height, left : left + width] = 255
    return Patch(0, 0, pixels)


def test_letters_of_one_line_stay_together_and_lines_that_touch_are_joined() -> None:
    parts = [patch((1, 1, 3, 5), (10, 1, 3, 5)), patch((1, 20, 3, 5)), patch((12, 4, 3, 5))]
    groups = united(parts, paint(parts, SIZE))
    assert [indices for _, indices in groups] == [(0, 2), (1,)]
    assert np.array_equal(paint([groups[0][0]], SIZE), paint([parts[0], parts[2]], SIZE))


@given(
    st.lists(
        st.lists(
            st.tuples(*(st.integers(0, 25), st.integers(0, 20), st.integers(1, 6), st.integers(1, 6))),
            min_size=1,
            max_size=3,
        ),
        max_size=6,
    )
)
def test_united_patches_share_no_pixel_and_hold_all(given: list[Boxes]) -> None:
    parts = [patch(*boxes) for boxes in given]
    mask = paint(parts, SIZE)
    groups = united(parts, mask)
    assert sorted(index for _, indices in groups for index in indices) == list(range(len(parts)))
    counted = sum((paint([group], SIZE) > 0).astype(int) for group, _ in groups) + np.zeros(SIZE, int)
    assert np.array_equal(counted, (mask > 0).astype(int))
