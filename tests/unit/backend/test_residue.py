"""When an erased line counts as readable."""

from __future__ import annotations

import pytest

from backend.residue import Reading, still_readable
from cleanplate.contract.geometry import Box
from cleanplate.contract.messages import BoxModel, DetectedRegion

PLACE = Box(100, 50, 200, 20)


def erased(text: str = "Summer Sale") -> Reading:
    return Reading(PLACE, text, 0.9)


def found(text: str, box: Box = PLACE, score: float = 0.4) -> list[Reading]:
    return [Reading(Box(0, 0, 50, 20), "elsewhere", 0.9), Reading(box, text, score)]


@pytest.mark.parametrize("text", ["Summer Sale", "SUMMER-SALE!", "ummer Sal", "Sunmer 5ale"])
def test_similar_text_at_the_same_place_is_readable(text: str) -> None:
    assert still_readable(erased(), found(text))


@pytest.mark.parametrize("text", ["", "o", "Winter", "一", "Sum"])
def test_text_of_another_kind_is_not(text: str) -> None:
    assert not still_readable(erased(), found(text))


def test_the_same_text_at_another_place_is_not() -> None:
    assert not still_readable(erased(), found("Summer Sale", Box(100, 80, 200, 20)))
    assert not still_readable(erased(), [])


def test_three_tenths_of_the_smaller_box_are_the_same_place() -> None:
    assert still_readable(erased(), found("Summer Sale", Box(100, 63, 200, 20)))
    assert not still_readable(erased(), found("Summer Sale", Box(100, 65, 200, 20)))
    assert still_readable(erased(), found("Summer Sale", Box(0, 0, 800, 600)))


def test_where_nothing_was_read_any_text_with_score_enough_counts() -> None:
    assert still_readable(erased(""), found("x", score=0.4), min_score=0.3)
    assert not still_readable(erased("..."), found("x", score=0.3), min_score=0.3)


def test_a_region_found_in_a_cut_is_placed_in_the_picture() -> None:
    box = BoxModel(x=1, y=2, width=30, height=10)
    region = DetectedRegion(id="r1", polygon=[(1, 2), (31, 2), (31, 12), (1, 12)], box=box, text="a", score=1, angle=0)
    assert Reading.of(region, 100, 200) == Reading(Box(101, 202, 30, 10), "a", 1)
