"""Regular patterns that are laid through holes, and what is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inpaint_service import patterns
from inpaint_service.fills import coherence_fill, pattern_fill
from inpaint_service.patches import split, union
from inpaint_service.rings import Site, site
from inpaint_service.strategy import choose

HEIGHT, WIDTH = 120, 200
Picture = NDArray[np.uint8]


def tone(period: float, degrees: float = 45, ink: float = 60, slope: float = 0) -> Picture:
    """Return a screentone: dots on a square grid, which may get darker to the right."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    turn = np.radians(degrees)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    dots = np.cos(2 * np.pi * u / period) + np.cos(2 * np.pi * v / period)
    gray = 200 - slope * x - ink * np.clip(dots, -0.5, 1) * 0.5
    return np.repeat(gray[..., None], 3, axis=2).round().astype(np.uint8)


def letters() -> Picture:
    """Return the mask of a word."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.putText(mask, "Tone", (45, 75), cv2.FONT_HERSHEY_DUPLEX, 1.5, 255, 9)
    return mask


def found(rgb: Picture) -> bool:
    mask = letters()
    spot = site(union(split(mask)), mask, WIDTH)  # all of the picture
    return patterns.find(rgb, spot) is not None


def error(rgb: Picture, truth: Picture) -> float:
    return float(np.sqrt(np.mean((rgb.astype(float) - truth)[letters() > 0] ** 2)))


@pytest.mark.parametrize("degrees", [0, 15, 45])
@pytest.mark.parametrize("period", [6.0, 7.5, 12.0, 20.0])
def test_a_screentone_goes_on_under_the_letters(period: float, degrees: float) -> None:
    truth, mask = tone(period, degrees), letters()
    written = np.where(mask[..., None] > 0, np.uint8(0), truth)
    assert error(pattern_fill(written, mask), truth) < error(coherence_fill(written, mask), truth) / 3


def test_a_pattern_keeps_the_brightness_of_its_place() -> None:
    truth, mask = tone(8.0, slope=0.4), letters()
    assert error(pattern_fill(np.where(mask[..., None] > 0, np.uint8(0), truth), mask), truth) < 4


def test_what_is_drawn_over_a_pattern_is_not_repeated() -> None:
    truth, mask = tone(8.0), letters()
    cv2.line(truth, (0, 100), (WIDTH, 92), (0, 0, 0), 4)
    filled = pattern_fill(np.where(mask[..., None] > 0, np.uint8(255), truth), mask)
    assert filled[mask > 0].min() > 100


def test_what_is_found_is_told_as_the_reason() -> None:
    mask = letters()
    choice = choose(tone(8.0), max(split(mask), key=lambda patch: patch.area), mask, "auto")
    assert choice.strategy == "pattern"
    assert choice.reason.endswith("repeats itself")


def test_noise_is_no_pattern() -> None:
    noise = np.random.default_rng(0).normal(128, 30, (HEIGHT, WIDTH, 3))
    assert not found(np.clip(noise, 0, 255).astype(np.uint8))


def test_a_plain_ground_and_faint_grain_are_no_pattern() -> None:
    assert not found(np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
    assert not found(tone(8.0, ink=4))


def test_a_frame_and_rules_around_the_text_are_no_pattern() -> None:
    rgb = np.full((HEIGHT, WIDTH, 3), 250, np.uint8)
    rgb[20:100:26] = 0
    rgb[:, 10:190:30] = 0
    assert not found(rgb)


def test_other_lines_of_text_are_no_pattern() -> None:
    rgb = np.full((HEIGHT, WIDTH, 3), 250, np.uint8)
    for y in range(20, HEIGHT, 22):
        cv2.putText(rgb, "millimeter minimum", (4, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1)
    assert not found(rgb)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_any_picture_and_any_hole_will_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 60, 2)
    rgb = np.tile(rng.integers(0, 256, (5, 4, 3)), (12, 15, 1))[:height, :width].astype(np.uint8)
    hole = rng.random((height, width)) < rng.random() / 2
    pattern = patterns.find(rgb, Site(np.s_[:height, :width], hole, ~hole, hole))
    if pattern is not None:
        fine, laid = patterns.laid(pattern, hole)
        assert not (laid & ~hole).any()
        assert np.isfinite(fine[laid]).all()
