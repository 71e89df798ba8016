"""What clients may change about regions."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from backend.choices import Choice, Choices
from backend.edits import Edit, edited
from cleanplate.contract.messages import BoxModel
from cleanplate.contract.problems import Invalid, Problem, RegionOutside

SQUARE = [(10.0, 10.0), (20.0, 10.0), (20.0, 20.0), (10.0, 20.0)]
BOX = {"x": 50, "y": 5, "width": 30, "height": 10}


def found(*names: str) -> Choices:
    box = BoxModel(x=10, y=10, width=10, height=10)
    regions = [Choice(id=name, polygon=SQUARE, box=box, text=name, score=0.5, angle=3) for name in names]
    return Choices(width=100, height=50, engine="fake", model="fake", regions=regions)


def after(before: Choices, *regions: dict[str, Any], last: Choices | None = None) -> list[Choice]:
    return edited(before, last or before, Edit.model_validate({"regions": regions})).regions


def test_what_was_given_may_be_sent_back_as_it_is() -> None:
    before = found("a", "b")
    assert edited(before, before, Edit.model_validate_json(before.model_dump_json())) == before


def test_regions_are_switched_off_moved_reshaped_added_and_dropped() -> None:
    triangle = [(0, 0), (40, 0), (0, 40)]
    off, moved, shaped, added = after(
        found("a", "b", "c", "dropped"),
        {"id": "a", "enabled": False},
        {"id": "b", "box": BOX},
        {"id": "c", "polygon": triangle, "text": "see"},
        {"box": BOX},
    )
    assert (off.enabled, off.polygon, off.text, off.score, off.angle) == (False, SQUARE, "a", 0.5, 3)
    assert (moved.box, moved.polygon[2], moved.text) == (BoxModel(**BOX), (80, 15), "b")
    assert (shaped.polygon, shaped.box, shaped.text) == (triangle, BoxModel(x=0, y=0, width=40, height=40), "see")
    assert (added.id, added.enabled, added.text, added.score) == ("added-1", True, "", 1.0)


def test_a_region_may_say_what_of_it_is_erased() -> None:
    usual, whole = after(found("a"), {"id": "a"}, {"box": BOX, "mask_mode": "polygon"})
    assert (usual.mask_mode, whole.mask_mode) == (None, "polygon")
    with pytest.raises(ValidationError):
        after(found(), {"box": BOX, "mask_mode": "circle"})


def test_a_new_region_gets_an_id_that_is_free() -> None:
    names = [region.id for region in after(found(), {"id": "added-1", "box": BOX}, {"box": BOX}, {"box": BOX})]
    assert names == ["added-1", "added-2", "added-3"]


def test_a_region_that_was_added_or_dropped_before_is_still_known() -> None:
    last = found("mine")
    assert [region.text for region in after(found("a"), {"id": "a"}, {"id": "mine"}, last=last)] == ["a", "mine"]


@pytest.mark.parametrize(
    ("regions", "problem", "field"),
    [
        ([{"id": "a"}, {"id": "a"}], Invalid, "regions"),
        ([{"id": "a"}, {"id": "x"}], Invalid, "regions.1"),
        ([{}], Invalid, "regions.0"),
        ([{"box": {**BOX, "x": 100}}], RegionOutside, "regions.0"),
        ([{"polygon": [(0, 0), (5, 0), (9, 0)]}], RegionOutside, "regions.0"),
    ],
)
def test_what_makes_no_regions_is_refused(regions: list[Any], problem: type[Problem], field: str) -> None:
    with pytest.raises(problem) as refused:
        after(found("a"), *regions)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "region", [{"id": "a", "color": 1}, {"polygon": [(0, 0), (1, 1)]}, {"box": {**BOX, "width": 0}}]
)
def test_a_region_of_another_shape_is_refused(region: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        after(found("a"), region)
