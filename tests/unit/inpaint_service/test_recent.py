"""Masks that were made last."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from inpaint_service.patches import Patch
from inpaint_service.recent import PATCH_BYTES, Patches, RecentPatches

PATIENCE_S = 10.0


def patches(pixels: int) -> Patches:
    return Patches((Patch(0, 0, np.zeros((1, pixels), np.uint8)),), (1, pixels))


class Maker:
    def __init__(self, pixels: int = 10):
        self.calls = 0
        self._pixels = pixels

    def __call__(self) -> Patches:
        self.calls += 1
        return patches(self._pixels)


def test_what_was_made_is_not_made_again() -> None:
    recent, maker = RecentPatches(), Maker()
    assert recent.get("a", maker) is recent.get("a", maker)
    assert maker.calls == 1


def test_what_was_not_asked_for_in_a_while_goes_first() -> None:
    recent, one, other = RecentPatches(2 * (10 + PATCH_BYTES)), Maker(), Maker()
    for key, maker in (("a", one), ("b", other), ("a", one), ("c", Maker()), ("a", one), ("b", other)):
        recent.get(key, maker)
    assert (one.calls, other.calls) == (1, 2)


def test_what_is_larger_than_all_that_may_be_kept_is_not_kept() -> None:
    recent, small, large = RecentPatches(2 * (10 + PATCH_BYTES)), Maker(), Maker(5000)
    for key, maker in (("a", small), ("b", large), ("b", large), ("a", small)):
        recent.get(key, maker)
    assert (small.calls, large.calls) == (1, 2)


def test_what_is_being_made_is_waited_for() -> None:
    recent, begun, let = RecentPatches(), threading.Event(), threading.Event()
    maker = Maker()

    def slowly() -> Patches:
        begun.set()
        assert let.wait(PATIENCE_S)
        return maker()

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(recent.get, "a", slowly)
        assert begun.wait(PATIENCE_S)
        second = threads.submit(recent.get, "a", maker)
        assert recent.get("b", Maker()) is not None
        let.set()
        assert first.result(PATIENCE_S) is second.result(PATIENCE_S)
    assert maker.calls == 1


def test_who_waits_makes_it_where_the_first_could_not() -> None:
    recent, maker = RecentPatches(), Maker()

    def fail() -> Patches:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no words
        recent.get("a", fail)
    recent.get("a", maker)
    assert maker.calls == 1
