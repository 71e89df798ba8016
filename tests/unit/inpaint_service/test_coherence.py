"""Lines that are continued through a hole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inpaint_service import coherence
from inpaint_service.coherence import continued
from inpaint_service.laplace import membrane

SIZE = 72


def stripes(degrees: float) -> NDArray[np.float32]:
    """Return soft stripes, 12 px from one to the next, (SIZE, SIZE, 3)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    along = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))
    return np.repeat((128 + 80 * np.sin(along * np.pi / 6))[..., None], 3, axis=2).astype(np.float32)


def hole() -> NDArray[np.bool_]:
    """Return a stroke 8 px wide across the middle."""
    unknown = np.zeros((SIZE, SIZE), bool)
    unknown[32:40, 16:56] = True
    return unknown


def guess(truth: NDArray[np.float32], unknown: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(unknown[..., None], membrane(truth, ~unknown, unknown, cycles=4), truth)


@pytest.mark.parametrize("degrees", [0, 30, 45, 60, 120, 150])
def test_stripes_run_on_where_a_membrane_blurs_them(degrees: float) -> None:
    truth, unknown = stripes(degrees), hole()
    start = guess(truth, unknown)
    found = continued(start, unknown)
    error, before = (np.sqrt(np.mean((one - truth)[unknown] ** 2)) for one in (found, start))
    assert error < before / 3


def test_without_lines_it_is_a_membrane() -> None:
    y, x = np.mgrid[:SIZE, :SIZE]
    truth = np.repeat((((x - 36) ** 2 - (y - 36) ** 2) / 2000)[..., None], 3, axis=2).astype(np.float32)
    unknown = hole()
    assert np.abs(continued(guess(truth, unknown), unknown) - truth).max() < 0.1


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_known_pixels_stay_and_no_other_goes_beyond_what_came(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 30, 2)
    values = rng.uniform(0, 255, (height, width, 3)).astype(np.float32)
    unknown = rng.random((height, width)) < rng.random()
    found = continued(values, unknown)
    assert found.dtype == np.float32
    assert np.array_equal(found[~unknown], values[~unknown])
    assert found.min() >= values.min()
    assert found.max() <= values.max()


def test_it_settles_where_the_equations_are_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, unknown = stripes(30), hole()
    found = continued(guess(truth, unknown), unknown)
    monkeypatch.setattr(coherence, "SWEEPS", 2000)
    monkeypatch.setattr(coherence, "SETTLED", 1e-5)
    assert np.sqrt(np.mean((found - continued(guess(truth, unknown), unknown))[unknown] ** 2)) < 1
