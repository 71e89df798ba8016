"""How the mask grows from round to round."""

from __future__ import annotations

from typing import Any

import pytest

from backend.growth import USUAL, grown_params
from backend.options import Options
from cleanplate.contract.messages import BoxModel, DetectedRegion
from inpaint_service import masks


def lines(*heights: float) -> list[DetectedRegion]:
    return [
        DetectedRegion(
            id=str(height),
            polygon=[(0, 0), (200, 0), (200, height), (0, height)],
            box=BoxModel(x=0, y=0, width=200, height=height),
            text="a",
            score=1,
            angle=0,
        )
        for height in heights
    ]


@pytest.mark.parametrize(
    ("given", "expected"), [(None, [0.35, 0.6]), (0.0, [0.25, 0.5]), (0.6, [0.85, 0.99]), (4.0, [9.0, 14.0])]
)
def test_the_dilation_grows_by_a_share_of_the_text_height_a_round(given: float | None, expected: list[float]) -> None:
    options = Options(mask_dilation=given)
    told = [grown_params(options, lines(10, 20, 100), rounds)["mask_dilation"] for rounds in (1, 2)]
    assert told == expected


@pytest.mark.parametrize(("mode", "expected"), [("auto", "polygon"), ("stroke", "polygon"), ("box", "box")])
def test_the_mask_covers_the_whole_outline(mode: Any, expected: str) -> None:
    params = grown_params(Options(mask_mode=mode, model="lama", quality=80), lines(20), 1)
    assert (params["mask_mode"], params["model"], params["output_format"]) == (expected, "lama", "png")


def test_it_grows_from_what_the_inpaint_service_takes_by_itself() -> None:
    assert masks.DILATION == USUAL
