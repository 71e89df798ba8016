"""Parts of a picture that a client names, in pixels or percent, and which points they hold. Pure."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cleanplate.contract.geometry import Box, Point, Polygon
from cleanplate.contract.messages import Coordinate


class Area(BaseModel):
    """A box (`x`, `y`, `width`, `height`) or a `polygon`, in pixels or in percent of the picture, as displayed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: Coordinate | None = None
    y: Coordinate | None = None
    width: Coordinate | None = Field(None, gt=0)
    height: Coordinate | None = Field(None, gt=0)
    polygon: tuple[tuple[Coordinate, Coordinate], ...] = Field((), max_length=1000)
    unit: Literal["px", "%"] = "px"

    @model_validator(mode="after")
    def _is_one_shape(self) -> Self:
        given = [side is not None for side in (self.x, self.y, self.width, self.height)]
        if any(given) if self.polygon else not all(given):
            raise ValueError("needs either x, y, width and height, or a polygon")
        if self.polygon and len(self.polygon) < 3:
            raise ValueError("a polygon needs at least 3 points")
        return self

    def holds(self, point: Point, width: int, height: int) -> bool:
        """Say whether a point, in pixels, of a picture of that size is inside, by the even-odd rule."""
        x, y = point
        corners = self._outline(width / 100, height / 100) if self.unit == "%" else self._outline(1, 1)
        inside = False
        for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
        return inside

    def _outline(self, across: float, down: float) -> Polygon:
        box = Box(self.x or 0, self.y or 0, self.width or 0, self.height or 0)
        return tuple((x * across, y * down) for x, y in self.polygon or box.polygon())
