"""Boxes and polygons in pixels, origin top left, x to the right, y down. Pure; pixels and masks are elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Polygon = tuple[Point, ...]


@dataclass(frozen=True)
class Box:
    """An upright rectangle, [x, x + width) by [y, y + height), in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def area(self) -> float:
        return max(0.0, self.width) * max(0.0, self.height)

    def polygon(self) -> Polygon:
        """Return its four corners, clockwise from the top left."""
        return ((self.x, self.y), (self.right, self.y), (self.right, self.bottom), (self.x, self.bottom))

    def grow(self, by_px: float) -> Box:
        """Return the box with every side moved outwards by `by_px`."""
        return Box(self.x - by_px, self.y - by_px, self.width + 2 * by_px, self.height + 2 * by_px)

    def scale(self, factor: float) -> Box:
        """Return the box in a picture `factor` times as large."""
        return Box(self.x * factor, self.y * factor, self.width * factor, self.height * factor)

    def union(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Box(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)

    def clip(self, width: float, height: float) -> Box:
        """Return the part inside a picture of that size; its area is 0 when there is none."""
        x, y = min(max(self.x, 0.0), width), min(max(self.y, 0.0), height)
        right, bottom = min(max(self.right, x), width), min(max(self.bottom, y), height)
        return Box(x, y, right - x, bottom - y)

    def shared(self, other: Box) -> float:
        """Return the area that both cover, in square pixels."""
        across = min(self.right, other.right) - max(self.x, other.x)
        down = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(0.0, across) * max(0.0, down)

    def overlaps(self, other: Box) -> bool:
        """Say whether the two share an area."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom

    def pixels(self) -> tuple[int, int, int, int]:
        """Return (left, top, right, bottom), the whole pixels that the box touches, right and bottom exclusive."""
        return math.floor(self.x), math.floor(self.y), math.ceil(self.right), math.ceil(self.bottom)


def bounds(points: Iterable[Point]) -> Box:
    """Return the smallest upright box around the points.

    Raises:
        ValueError: there are no points.
    """
    xs, ys = zip(*points, strict=True)
    return Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def area(polygon: Sequence[Point]) -> float:
    """Return the area in square pixels by the shoelace formula."""
    pairs = zip(polygon, (*polygon[1:], *polygon[:1]), strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def is_convex(polygon: Sequence[Point]) -> bool:
    """Say whether the polygon turns in one direction only."""
    around = [*polygon[-1:], *polygon, *polygon[:1]]
    corners = zip(around, around[1:], around[2:], strict=False)
    turns = [(b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) for a, b, c in corners]
    return all(turn >= 0 for turn in turns) or all(turn <= 0 for turn in turns)


def clip_polygon(polygon: Sequence[Point], width: float, height: float) -> Polygon:
    """Return the part of the polygon inside the picture (Sutherland and Hodgman, 1974); empty when there is none."""
    points = list(polygon)
    for axis, limit, keep_below in ((0, 0.0, False), (0, width, True), (1, 0.0, False), (1, height, True)):
        points = _clip_half_plane(points, axis, limit, keep_below)
    return tuple(points)


def text_height(polygon: Sequence[Point]) -> float:
    """Return the height of the line of text that the polygon outlines, in pixels.

    For a quadrilateral (what detectors give) it is the shorter of the two mean side lengths, right for rotated text
    too; for other polygons the area over half the perimeter, which tends to the height of a long, thin band.
    """
    sides = [math.dist(a, b) for a, b in zip(polygon, (*polygon[1:], *polygon[:1]), strict=True)]
    if len(sides) == 4:
        return min((sides[0] + sides[2]) / 2, (sides[1] + sides[3]) / 2)
    half_perimeter = sum(sides) / 2
    return area(polygon) / half_perimeter if half_perimeter else 0.0


def _clip_half_plane(points: list[Point], axis: int, limit: float, keep_below: bool) -> list[Point]:
    def inside(point: Point) -> bool:
        return point[axis] <= limit if keep_below else point[axis] >= limit

    kept: list[Point] = []
    for before, point in zip([*points[-1:], *points[:-1]], points, strict=True):
        if inside(before) != inside(point):
            share = (limit - before[axis]) / (point[axis] - before[axis])
            crossing = [before[i] + share * (point[i] - before[i]) for i in (0, 1)]
            crossing[axis] = limit
            kept.append((crossing[0], crossing[1]))
        if inside(point):
            kept.append(point)
    return kept
