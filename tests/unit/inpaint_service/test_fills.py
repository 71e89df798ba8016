"""Planes, membranes, and lines and patterns that are continued."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from inpaint_service.fills import FILLS, membrane_fill, plane_fill
from inpaint_service.laplace import membrane

Fill = Callable[..., NDArray[np.uint8]]

every = pytest.mark.parametrize("fill", FILLS.values())


def slope(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack((40 + x, 60 + y, 200 - x), axis=-1).astype(np.uint8)


def boxed(shape: tuple[int, int], *boxes: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 255
    return mask


@every
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_nothing_outside_the_mask_changes_and_nothing_is_mutated(fill: Fill, seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 40, 2)
    rgb = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    mask = np.where(rng.random((height, width)) < rng.random(), np.uint8(255), np.uint8(0))
    before, mask_before = rgb.copy(), mask.copy()
    out = fill(rgb, mask)
    assert out is not rgb
    assert out.dtype == np.uint8
    assert np.array_equal(rgb, before)
    assert np.array_equal(mask, mask_before)
    assert np.array_equal(out[mask == 0], rgb[mask == 0])
    assert np.array_equal(out, fill(rgb, mask))


@every
def test_a_slope_is_continued_exactly(fill: Fill) -> None:
    truth = slope(60, 90)
    mask = boxed((60, 90), (20, 20, 60, 35))
    written = np.where(mask[..., None] > 0, np.uint8(0), truth)
    assert np.abs(fill(written, mask).astype(int) - truth).max() <= 1


@every
def test_a_slope_is_continued_to_the_pictures_border(fill: Fill) -> None:
    truth = slope(60, 90)
    mask = boxed((60, 90), (60, 40, 90, 60))
    written = np.where(mask[..., None] > 0, np.uint8(255), truth)
    assert np.abs(fill(written, mask).astype(int) - truth).max() <= 1


@every
def test_white_stays_white(fill: Fill) -> None:
    rgb = np.full((40, 60, 3), 255, np.uint8)
    rgb[15:25, 20:40] = 0
    assert fill(rgb, boxed((40, 60), (18, 13, 42, 27))).min() == 255


@every
def test_ink_that_reaches_past_the_mask_does_not_bleed_in(fill: Fill) -> None:
    rgb = np.full((60, 120, 3), 230, np.uint8)
    rgb[20:40, 30:90:10] = 10
    mask = boxed((60, 120), (28, 22, 92, 38))
    assert fill(rgb, mask)[mask > 0].min() > 220


@every
def test_what_is_to_be_avoided_is_not_looked_at(fill: Fill) -> None:
    rgb = np.full((40, 60, 3), 100, np.uint8)
    rgb[:, 30:] = 250
    mask = boxed((40, 60), (15, 10, 30, 20))
    assert fill(rgb, mask, avoid=boxed((40, 60), (30, 0, 60, 40)))[mask > 0].max() == 100


@every
def test_a_picture_that_is_masked_all_over_gets_one_color(fill: Fill) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    assert len(np.unique(fill(rgb, np.full((9, 9), 255, np.uint8)).reshape(-1, 3), axis=0)) == 1


def test_every_patch_gets_a_plane_of_its_own() -> None:
    rgb = np.full((40, 120, 3), 20, np.uint8)
    rgb[:, 60:] = 220
    out = plane_fill(rgb, boxed((40, 120), (10, 10, 40, 30), (75, 10, 110, 30)))
    assert np.array_equal(out, rgb)


def test_a_membrane_follows_a_ring_that_no_plane_fits() -> None:
    y, x = np.mgrid[0:80, 0:80]
    truth = np.repeat((128 + ((x - 40) ** 2 - (y - 40) ** 2) / 20)[..., None], 3, axis=2).round().astype(np.uint8)
    mask = boxed((80, 80), (15, 15, 65, 65))
    holed = np.where(mask[..., None] > 0, np.uint8(0), truth)
    assert np.abs(membrane_fill(holed, mask).astype(int) - truth).max() <= 3


@pytest.mark.parametrize(("cycles", "tolerance"), [(1, 2.0), (6, 0.1)])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_the_multigrid_solution_converges_to_the_exact_one(cycles: int, tolerance: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(16, 50, 2)
    values = rng.normal(0, 20, (height, width, 1)).astype(np.float32)
    unknown = np.zeros((height, width), bool)
    unknown[4:-4, 4:-4] = True
    unknown |= rng.random((height, width)) < 0.05
    difference = (membrane(values, ~unknown, unknown, cycles=cycles) - exact(values, unknown))[unknown]
    assert np.sqrt(np.mean(difference**2)) < tolerance


def exact(values: NDArray[np.float32], unknown: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Solve the same equations sparsely."""
    index = np.full(unknown.shape, -1)
    index[unknown] = np.arange(unknown.sum())
    matrix = sparse.lil_array((unknown.sum(), unknown.sum()))
    right = np.zeros(unknown.sum())
    for y, x in np.argwhere(unknown):
        row = index[y, x]
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= v < unknown.shape[0] and 0 <= u < unknown.shape[1]):
                continue
            matrix[row, row] += 1
            if unknown[v, u]:
                matrix[row, index[v, u]] = -1
            else:
                right[row] += values[v, u, 0]
    solution = np.zeros(values.shape)
    solution[unknown, 0] = spsolve(matrix.tocsc(), right)
    return solution
