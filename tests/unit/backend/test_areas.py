"""Which points of a picture an area holds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from backend.areas import Area

BOX = {"x": 10, "y": 20, "width": 30, "height": 5}
NOTCHED = [(0, 0), (100, 0), (100, 100), (50, 10), (0, 100)]  # the middle of its lower half is outside


@pytest.mark.parametrize(
    ("shape", "point", "inside"),
    [
        (BOX, (25, 22), True),
        (BOX, (25, 26), False),
        (BOX, (9, 22), False),
        ({**BOX, "unit": "%"}, (50, 88), True),  # 20 to 80 across 200 px, 80 to 100 down 400 px
        ({**BOX, "unit": "%"}, (25, 22), False),
        ({"polygon": NOTCHED}, (50, 60), False),
        ({"polygon": NOTCHED}, (10, 60), True),
        ({"polygon": [(0, 50), (100, 50), (100, 100)], "unit": "%"}, (190, 300), True),
    ],
)
def test_a_point_is_in_an_area_or_not(shape: dict[str, Any], point: tuple[float, float], inside: bool) -> None:
    assert Area.model_validate(shape).holds(point, 200, 400) is inside


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"x": 1, "y": 1, "width": 5},
        {**BOX, "width": 0},
        {**BOX, "polygon": NOTCHED},
        {"polygon": [(0, 0), (1, 1)]},
        {**BOX, "unit": "em"},
        {**BOX, "x": float("nan")},
    ],
)
def test_what_is_not_one_shape_is_refused(shape: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Area.model_validate(shape)
