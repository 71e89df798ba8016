"""What the services say to each other and to their clients: regions, detections, job views and events."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cleanplate.contract.geometry import Box, Polygon, bounds, text_height

MaskMode = Literal["auto", "box", "polygon", "stroke"]
COORDINATE_LIMIT = 1_000_000.0
_LANGUAGE = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"


def _finite(value: float) -> float:
    if not math.isfinite(value) or abs(value) > COORDINATE_LIMIT:
        raise ValueError(f"must be a finite number between -{COORDINATE_LIMIT:.0f} and {COORDINATE_LIMIT:.0f}")
    return value


def _language(tag: str) -> str:
    if not re.fullmatch(_LANGUAGE, tag):
        raise ValueError("must be the tag of a language (BCP 47), such as en, ja or zh-Hant")
    return tag


Coordinate = Annotated[float, AfterValidator(_finite)]
Language = Annotated[str, Field(max_length=35, json_schema_extra={"pattern": _LANGUAGE}), AfterValidator(_language)]
Languages = Annotated[tuple[Language, ...], Field(min_length=1, max_length=20)]
"""In which a text is written, as an OCR engine is told. Which it can read is its own to say."""


class Region(BaseModel):
    """A place in a picture, in pixels of the picture as displayed (EXIF orientation applied).

    It is given as `x, y, width, height`, as `bounding_box` with these four, or as `polygon`; whichever was given, all
    of `polygon`, `x`, `y`, `width` and `height` are filled in afterwards.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)

    x: Coordinate = 0.0
    y: Coordinate = 0.0
    width: Coordinate = 0.0
    height: Coordinate = 0.0
    polygon: tuple[tuple[Coordinate, Coordinate], ...] = Field(default=(), max_length=1000)
    id: str | None = Field(default=None, max_length=200)
    text: str | None = Field(default=None, max_length=10_000)
    score: float | None = Field(default=None, ge=0, le=1)
    mask_mode: MaskMode | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        given = {**given, **given["bounding_box"]} if isinstance(given.get("bounding_box"), dict) else dict(given)
        if not given.get("polygon"):
            missing = [name for name in ("x", "y", "width", "height") if given.get(name) is None]
            if missing:
                raise ValueError(f"needs x, y, width and height, or a polygon; missing: {', '.join(missing)}")
            given.pop("polygon", None)
        return given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.polygon:
            if len(self.polygon) < 3:
                raise ValueError("a polygon needs at least 3 points")
            box = bounds(self.polygon)
            for name in ("x", "y", "width", "height"):
                object.__setattr__(self, name, getattr(box, name))
        else:
            if self.width < 0 or self.height < 0:
                raise ValueError("width and height must not be negative")
            object.__setattr__(self, "polygon", Box(self.x, self.y, self.width, self.height).polygon())
        return self

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, self.width, self.height)

    @property
    def outline(self) -> Polygon:
        return self.polygon

    @property
    def text_height(self) -> float:
        """The height of its line of text, in pixels."""
        return text_height(self.polygon)


class BoxModel(BaseModel):
    """An upright rectangle on the wire, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def of(cls, box: Box) -> Self:
        """Return a box as it goes over the wire."""
        return cls(**vars(box))

    def to_box(self) -> Box:
        """Return the box itself."""
        return Box(**self.model_dump())


class DetectedWord(BaseModel):
    """A word of a line, or a single character of a script without spaces."""

    polygon: list[tuple[float, float]] = Field(description="4 or more corners, clockwise from the word's top left")
    text: str


class DetectedRegion(BaseModel):
    """One line of text that an OCR engine found."""

    id: str
    polygon: list[tuple[float, float]] = Field(description="4 or more corners, clockwise from the text's top left")
    box: BoxModel
    text: str
    score: float = Field(ge=0, le=1, description="the recognizer's confidence")
    angle: float = Field(description="degrees, clockwise, of the text's baseline")
    words: list[DetectedWord] | None = Field(default=None, description="null where nobody asked for them")


class Detection(BaseModel):
    """All the text of one picture, coordinates in pixels of the picture as displayed."""

    width: int
    height: int
    engine: str
    model: str
    regions: list[DetectedRegion]
    timings: dict[str, float] = Field(default_factory=dict, description="seconds by step")
    quarter_turns: int = Field(0, description="by 90 degrees, against the clock, to make it upright, if asked for")


class RegionResult(BaseModel):
    """What was done to one region."""

    id: str
    strategy: str = Field(description="the fill or model that repainted it")
    reason: str = Field(description="why that one")
    mask_mode: MaskMode | None = Field(default=None, description="what of it: its box, its polygon, or its strokes")
    clean: bool | None = Field(default=None, description="whether no text is readable there any more; null: not looked")


class Event(BaseModel):
    """One entry of a job's log. `seq` counts from 1 without gaps within its job and is the cursor everywhere."""

    job_id: str
    seq: int
    position: int = Field(description="the place in the log of all jobs; grows, with gaps")
    type: str
    at: str = Field(description="UTC, ISO 8601 with Z")
    data: dict[str, Any] = Field(default_factory=dict)
