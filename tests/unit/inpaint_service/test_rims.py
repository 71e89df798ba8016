"""What around letters is theirs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint_service.rims import with_rim

SIZE = (120, 240)
HEIGHT = 30.0
LETTERS = np.zeros(SIZE, bool)
LETTERS[45:75, 60:66] = LETTERS[45:75, 100:106] = LETTERS[57:63, 60:106] = True
Picture = NDArray[np.uint8]


def found(rgb: Picture) -> NDArray[np.bool_]:
    return with_rim(rgb, LETTERS, np.ones(SIZE, bool), HEIGHT)


def lit(color: tuple[int, int, int], reach: float, noise: float = 0.0) -> Picture:
    """Draw the letters, whose light falls off over so many pixels."""
    away = cv2.distanceTransform((~LETTERS).astype(np.uint8), cv2.DIST_L2, 5)
    light = (
        np.where(LETTERS, 1, 0.6 * np.clip(1 - away / reach, 0, 1) ** 1.5)[..., None] if reach else LETTERS[..., None]
    )
    ground = 40 + np.random.default_rng(3).normal(0, noise, (*SIZE, 1)) if noise else np.full((*SIZE, 1), 40.0)
    return np.asarray(np.clip(light * np.array(color) + (1 - light) * ground, 0, 255), np.uint8)


def test_on_a_plain_ground_letters_have_no_rim() -> None:
    assert (found(lit((250, 240, 230), 0)) == LETTERS).all()


def test_light_goes_with_its_letters_as_far_as_it_can_be_seen() -> None:
    for noise in (0.0, 4.0):
        rgb = lit((250, 80, 60), 12, noise)
        seen = np.abs(rgb.astype(int) - 40).max(axis=2) > 30
        assert found(rgb)[seen].mean() > 0.99


def test_a_plate_is_no_light() -> None:
    rgb = np.full((*SIZE, 3), 235, np.uint8)
    rgb[38:82, 50:116] = (20, 60, 200)
    rgb[LETTERS] = 250
    assert np.count_nonzero(found(rgb)) < 2 * np.count_nonzero(LETTERS)


def test_a_ground_that_changes_is_no_light() -> None:
    rgb = np.repeat(np.linspace(20, 220, SIZE[1])[None, :, None], SIZE[0], axis=0).repeat(3, axis=2).astype(np.uint8)
    rgb[LETTERS] = (250, 0, 0)
    assert np.count_nonzero(found(rgb)) < 2 * np.count_nonzero(LETTERS)


def test_other_regions_are_not_taken_for_ground() -> None:
    rgb = lit((250, 240, 230), 0)
    rgb[30:42, 50:116] = 200
    ground = np.ones(SIZE, bool)
    ground[30:42, 50:116] = False
    assert (with_rim(rgb, LETTERS, ground, HEIGHT) == LETTERS).all()
