"""What a client changes about the regions of a job: adds, moves, drops, switches on and off. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backend.choices import Choice, Choices
from cleanplate.contract.geometry import Box, bounds
from cleanplate.contract.messages import Coordinate, DetectedWord, MaskMode
from cleanplate.contract.problems import Invalid, RegionOutside


class EditedBox(BaseModel):
    """An upright rectangle, in pixels."""

    model_config = ConfigDict(extra="forbid")

    x: Coordinate
    y: Coordinate
    width: Coordinate = Field(gt=0)
    height: Coordinate = Field(gt=0)


class EditedRegion(BaseModel):
    """A region as it shall be; what is left out stays as it was found. With both, `polygon` counts and not `box`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    id: str | None = Field(None, min_length=1, max_length=200, description="null: a new one")
    polygon: list[tuple[Coordinate, Coordinate]] | None = Field(None, min_length=3, max_length=1000)
    box: EditedBox | None = None
    text: str = Field("", max_length=10_000)
    score: float = Field(1.0, ge=0, le=1)
    angle: Coordinate = 0.0
    enabled: bool = True
    mask_mode: MaskMode | None = None
    words: list[DetectedWord] | None = None


class Edit(BaseModel):
    """All regions as they shall be; one that is left out is dropped. What else `GET` gives does nothing."""

    regions: list[EditedRegion] = Field(max_length=10_000)


def edited(found: Choices, last: Choices, edit: Edit) -> Choices:
    """Return the regions after the edit.

    Args:
        found: the job's own.
        last: as edited before, or the same.
        edit: what is wanted now.

    Raises:
        Invalid: an id is there twice, or a new region has no place.
        RegionOutside: a region does not touch the picture.
    """
    known = {region.id: region for region in (*found.regions, *last.regions)}
    ids = _ids(edit.regions)
    regions = [_region(known, region, ids[index], index) for index, region in enumerate(edit.regions)]
    for index, region in enumerate(regions):
        if bounds(region.polygon).clip(found.width, found.height).area <= 0:
            raise RegionOutside(field=f"regions.{index}")
    return found.model_copy(update={"regions": regions})


def _ids(regions: Sequence[EditedRegion]) -> list[str]:
    """Return an id for each region, a fresh one for those that have none."""
    taken = [region.id for region in regions if region.id is not None]
    if len(set(taken)) < len(taken):
        raise Invalid("two regions have the same id", field="regions")
    fresh = (name for number in count(1) if (name := f"added-{number}") not in taken)
    return [region.id or next(fresh) for region in regions]


def _region(known: Mapping[str, Choice], region: EditedRegion, name: str, index: int) -> Choice:
    given: dict[str, Any] = {**region.model_dump(), "id": name}
    if name in known:
        given = {**known[name].model_dump(), **region.model_dump(exclude_unset=True)}
    if region.polygon is None and region.box is not None:
        given["polygon"] = Box(**region.box.model_dump()).polygon()
    if not given.get("polygon"):
        raise Invalid("a new region needs a polygon or a box", field=f"regions.{index}")
    return Choice(**{**given, "box": vars(bounds(given["polygon"]))})
