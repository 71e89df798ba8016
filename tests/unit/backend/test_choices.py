"""Which of the regions that were found the options choose."""

from __future__ import annotations

from typing import Any

import pytest

from backend.choices import choose
from backend.options import CHOOSING, Options
from cleanplate.contract.messages import BoxModel, DetectedRegion, Detection

LEFT = {"x": 0, "y": 0, "width": 50, "height": 100, "unit": "%"}
TOP = {"polygon": [(0, 0), (200, 0), (200, 50), (0, 50)]}


def line(text: str, x: float, y: float, height: float, score: float = 0.9) -> DetectedRegion:
    box = BoxModel(x=x, y=y, width=40, height=height)
    corners = [(x, y), (x + 40, y), (x + 40, y + height), (x, y + height)]
    return DetectedRegion(id=text[0], polygon=corners, box=box, text=text, score=score, angle=0)


FOUND = Detection(
    width=200, height=100, engine="fake", model="fake",
    regions=[line("big", 10, 10, 30), line("faint", 10, 70, 10, 0.3), line("7 %", 150, 10, 10), line("©", 150, 70, 5)],
)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, "bf7©"),
        ({"min_score": 0.5}, "b7©"),
        ({"min_height": 10}, "bf7"),
        ({"max_height": 10}, "f7©"),
        ({"include": [LEFT]}, "bf"),
        ({"include": [LEFT, TOP]}, "bf7"),
        ({"exclude": [TOP]}, "f©"),
        ({"include": [LEFT], "exclude": [TOP]}, "f"),
        ({"match": r"\d|©"}, "7©"),
        ({"keep": "©"}, "bf7"),
        ({"match": ".", "keep": "^[a-z]", "min_height": 6}, "7"),
    ],
)
def test_the_options_choose(options: dict[str, Any], chosen: str) -> None:
    choices = choose(FOUND, Options.model_validate(options))
    assert "".join(region.id for region in choices.chosen()) == chosen
    assert [region.id for region in choices.regions] == list("bf7©")


def test_every_option_that_chooses_is_an_option() -> None:
    assert Options.model_fields.keys() >= CHOOSING


@pytest.mark.parametrize(
    ("text", "score", "width", "chosen"),
    [
        ("0", 0.9, 200, False),
        ("", 0.9, 200, False),
        ("我是", 0.9, 200, True),
        ("0", 0.9, 70, True),
        ("門", 0.24, 10, False),
        ("門", 0.24, 2, True),
        ("我是", 0.24, 10, True),
        ("", 0.0, 10, True),
    ],
)
def test_a_large_single_character_is_not_taken_for_text(text: str, score: float, width: int, chosen: bool) -> None:
    corners = ((0, 0), (width, 0), (width, 90), (0, 90))
    box = BoxModel(x=0, y=0, width=width, height=90)
    region = DetectedRegion(id="a", polygon=corners, box=box, text=text, score=score, angle=0)
    found = Detection(width=200, height=100, engine="fake", model="fake", regions=[region])
    assert [choice.enabled for choice in choose(found, Options()).regions] == [chosen]
