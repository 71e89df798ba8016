"""What is read from the wire, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from cleanplate.contract.messages import COORDINATE_LIMIT, DetectedRegion, Languages, Region

BOX = {"x": 10, "y": 20, "width": 30, "height": 40}
CORNERS = ((10, 20), (40, 20), (40, 60), (10, 60))


@pytest.mark.parametrize("given", [BOX, {"bounding_box": BOX}, {"polygon": CORNERS}, {**BOX, "polygon": []}])
def test_however_a_region_is_given_all_of_it_is_filled_in(given: dict[str, Any]) -> None:
    region = Region.model_validate(given)
    assert (region.x, region.y, region.width, region.height) == (10, 20, 30, 40)
    assert region.polygon == CORNERS
    assert (region.box.right, region.outline, region.text_height) == (40, CORNERS, 30)


def test_a_polygon_counts_more_than_a_box_beside_it() -> None:
    region = Region.model_validate({"x": 0, "y": 0, "width": 999, "height": 999, "polygon": CORNERS})
    assert region.width == 30


def test_a_region_survives_the_wire() -> None:
    region = Region.model_validate({"polygon": CORNERS, "id": 7, "text": "好", "score": 0.5, "mask_mode": "stroke"})
    assert region.id == "7"
    assert Region.model_validate_json(region.model_dump_json()) == region


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "missing: x, y, width, height"),
        ({"x": 1, "y": 2, "width": 3}, "missing: height"),
        ({"polygon": []}, "or a polygon"),
        ({"polygon": [[0, 0], [1, 1]]}, "at least 3"),
        ({"polygon": [[0, 0]] * 1001}, "1000"),
        ({"polygon": [[0, 0, 0]] * 3}, "polygon"),
        ({**BOX, "width": -1}, "negative"),
        ({**BOX, "x": float("nan")}, "finite"),
        ({**BOX, "x": float("inf")}, "finite"),
        ({**BOX, "x": COORDINATE_LIMIT + 1}, "finite"),
        ({**BOX, "x": 10**400}, "x"),
        ({**BOX, "score": 1.1}, "score"),
        ({**BOX, "text": "x" * 10_001}, "text"),
        ({**BOX, "text": "\ud800"}, "text"),
        ({**BOX, "id": "x" * 201}, "id"),
        ({**BOX, "mask_mode": "magic"}, "mask_mode"),
        ("box", "Region"),
    ],
)
def test_a_region_that_is_none_is_refused_with_the_reason(given: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Region.model_validate(given)


def test_regions_cannot_be_changed() -> None:
    region = Region.model_validate(BOX)
    with pytest.raises(ValidationError):
        setattr(region, "x", 3)  # noqa: B010 - mypy knows that it is read-only


def test_a_detection_must_be_sure_by_a_share() -> None:
    box = {"id": "1", "polygon": CORNERS, "box": BOX, "text": "a", "angle": 0}
    assert DetectedRegion.model_validate({**box, "score": 1}).score == 1
    with pytest.raises(ValidationError):
        DetectedRegion.model_validate({**box, "score": 99})


@pytest.mark.parametrize("given", [["en"], ["en", "ja", "zh-Hant-TW"], ["de-CH-1996"], ["en"] * 20])
def test_languages_are_tags(given: list[str]) -> None:
    assert TypeAdapter(Languages).validate_python(given) == tuple(given)


@pytest.mark.parametrize(
    "given", [[], ["en"] * 21, ["english please"], [""], ["en_US"], ["e" * 36], ["en-"], "en", ["en\n"]]
)
def test_what_is_no_list_of_languages_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Languages).validate_python(given)
