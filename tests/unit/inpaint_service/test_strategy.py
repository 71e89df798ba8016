"""Who repaints what, and why."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inpaint_service import strategy
from inpaint_service.patches import split
from inpaint_service.strategy import BY_NAME, Choice, Flatness, choose

MASK = np.zeros((60, 120), np.uint8)
MASK[20:40, 30:90] = 255
[PATCH] = split(MASK)
FOLLOWING = ("auto", "coherence", "pattern")


def noisy(sigma: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, sigma, (60, 120, 3))
    return np.clip(128 + noise, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("engine", ["auto", "lama", "cv2"])
def test_a_flat_ring_gets_a_plane_whatever_is_loaded(engine: str) -> None:
    choice = choose(noisy(1.0), PATCH, MASK, engine)
    assert choice.strategy == "plane"
    assert choice.reason.startswith("ring is flat: residual 1.")


def test_a_rough_ring_goes_to_the_model() -> None:
    choice = choose(noisy(20.0), PATCH, MASK, "lama")
    assert choice.strategy == "lama"
    assert "not flat" in choice.reason


def test_the_lines_of_a_rough_ring_are_continued_where_no_model_is_loaded() -> None:
    choice = choose(noisy(20.0), PATCH, MASK, "auto")
    assert choice.strategy == "coherence"
    assert choice.reason.endswith("no model is loaded")


def test_a_flat_ring_that_something_crosses_is_not_flat() -> None:
    rgb = noisy(1.0)
    rgb[:, 55:65] = 250
    assert choose(rgb, PATCH, MASK, "lama").strategy == "lama"


@pytest.mark.parametrize("engine", BY_NAME)
def test_a_fill_that_was_asked_for_is_used_everywhere(engine: str) -> None:
    assert choose(noisy(50.0), PATCH, MASK, engine) == Choice(engine, f"{engine} was asked for")


def test_where_all_is_masked_nothing_is_flat() -> None:
    everything = np.full((20, 20), 255, np.uint8)
    [patch] = split(everything)
    choice = choose(noisy(0.0)[:20, :20], patch, everything, "lama")
    assert choice == Choice("lama", "nothing unmasked around it")
    assert choose(noisy(0.0)[:20, :20], patch, everything, "auto").strategy == "membrane"


@pytest.mark.parametrize(("limit", "size"), [("LARGE_PX", PATCH.area), ("WIDE_PX", PATCH.pixels.size)])
def test_lines_are_not_continued_through_a_hole_too_large(
    limit: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy, limit, size)
    assert [choose(noisy(20.0), PATCH, MASK, engine).strategy for engine in FOLLOWING] == ["coherence", *FOLLOWING[1:]]
    monkeypatch.setattr(strategy, limit, size - 1)
    assert {choose(noisy(20.0), PATCH, MASK, engine).strategy for engine in FOLLOWING} == {"membrane"}


def test_flatness_is_a_parameter() -> None:
    assert choose(noisy(20.0), PATCH, MASK, "lama", Flatness(scale=40)).strategy == "plane"
