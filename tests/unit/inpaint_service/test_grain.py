"""The grain of fills."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inpaint_service.grain import with_grain

SIZE = (120, 160)
OWN = np.zeros(SIZE, bool)
OWN[40:80, 40:120] = True
Picture = NDArray[np.uint8]


def grainy(strength: float, coarse_px: float = 0.0) -> Picture:
    noise = np.random.default_rng(5).normal(0, 1, SIZE)
    noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), coarse_px), float) if coarse_px else noise
    noise *= strength / noise.std()
    return np.repeat(np.clip(np.rint(120 + noise), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def filled(before: Picture, seed: int = 1) -> Picture:
    smooth = before.copy()
    smooth[OWN] = 120
    return with_grain(smooth, before, OWN, ~OWN, (seed, 2))


def likeness(values: NDArray[np.float64]) -> float:
    off = values - values.mean()
    return float((off[:, 1:] * off[:, :-1]).mean() / (off * off).mean())


@pytest.mark.parametrize("coarse_px", [0.0, 0.8])
def test_a_fill_gets_grain_like_that_around_it(coarse_px: float) -> None:
    before = grainy(4, coarse_px)
    got, around = (part[..., 1].astype(float) for part in (filled(before)[40:80, 40:120], before[:40]))
    assert 0.4 < got.std() / around.std() < 1.0
    assert abs(likeness(got) - likeness(around)) < 0.3
    assert abs(got.mean() - 120) < 1


def test_edges_around_are_no_grain() -> None:
    before = grainy(1.5)
    before[:, ::8] = 90
    before[30:90, 20:140] = grainy(1.5)[30:90, 20:140]  # the fill lies in a plain part
    noise = filled(before)[OWN].astype(float)
    assert 0.4 < noise.std() < 2


@pytest.mark.parametrize("strength", [0.0, 0.5, 20.0])
def test_neither_a_clean_ground_nor_a_texture_is_grain(strength: float) -> None:
    assert (filled(grainy(strength))[OWN] == 120).all()


def test_grain_stays_within_the_fill_and_comes_out_the_same_each_time() -> None:
    before = grainy(4)
    one = filled(before)
    assert (one[~OWN] == before[~OWN]).all()
    assert (one == filled(before)).all()
    assert (one != filled(before, seed=3)).any()


def test_where_hardly_anything_is_known_there_is_no_grain() -> None:
    before = grainy(4)
    smooth = np.full_like(before, 120)
    assert (with_grain(smooth, before, OWN, np.zeros(SIZE, bool), (1, 2)) == 120).all()
