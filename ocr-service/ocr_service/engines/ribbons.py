"""A ribbon along a bent middle, in pixels of a picture: its outline, and its part of the picture laid flat."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Point, Polygon

_OFF = 0.05  # of its reach: so far the sides of the outline may leave the ribbon
_MOST_SIDES = 24

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A ribbon: points along its middle, as far from each other along it, and how far it reaches to either side."""

    middle: Points
    reach: float

    def scaled(self, x: float, y: float) -> Curve:
        """Return it in a picture larger by these factors, which are nearly the same."""
        return Curve(self.middle * (x, y), self.reach * math.sqrt(x * y))

    def reversed(self) -> Curve:
        """Return it in the other direction."""
        return Curve(self.middle[::-1], self.reach)

    @property
    def length(self) -> float:
        return float(np.linalg.norm(np.diff(self.middle, axis=0), axis=1).sum())

    def at(self, along: NDArray[np.float64], below: NDArray[np.float64] | float) -> Points:
        """Return the points so many pixels along the middle, and so many below it, as the text has it."""
        places = np.linspace(0, self.length, len(self.middle))
        middle, normals = self.middle, _normals(self.middle)
        on = [np.interp(along, places, middle[:, axis]) for axis in (0, 1)]
        down = [np.interp(along, places, normals[:, axis]) for axis in (0, 1)]
        return np.stack([on[0] + down[0] * below, on[1] + down[1] * below], axis=-1)

    def outline(self) -> Polygon:
        """Return its corners, clockwise from the text's top left; as many along the top as along the bottom."""
        turned = float(np.abs(np.diff(np.unwrap(_directions(self.middle)))).sum())
        sides = min(max(math.ceil(math.sqrt(self.length * turned / (8 * _OFF * self.reach))), 2), _MOST_SIDES)
        along = np.linspace(0, self.length, sides + 1)
        top, bottom = self.at(along, -self.reach), self.at(along, self.reach)
        return tuple((round(float(x), 2), round(float(y), 2)) for x, y in (*top, *bottom[::-1]))

    def flat(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the ribbon's part of a picture, laid flat."""
        width, height = max(round(self.length), 1), max(round(2 * self.reach), 1)
        along, below = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5 - self.reach)
        places = self.at(along, below).astype(np.float32) - 0.5
        laid = cv2.remap(bgr, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(laid, np.uint8)

    def placed(self, polygon: Iterable[Point]) -> Polygon:
        """Return where in the picture points of the flat ribbon are."""
        xs, ys = np.array(list(polygon), float).T
        return tuple((float(x), float(y)) for x, y in self.at(xs, ys - self.reach))

    def folds(self) -> bool:
        """Say whether it bends so sharply, or so far, that it covers itself."""
        inner = np.diff(self.middle + self.reach * _normals(self.middle), axis=0)
        outer = np.diff(self.middle - self.reach * _normals(self.middle), axis=0)
        steps = np.diff(self.middle, axis=0)
        return bool(((inner * steps).sum(axis=1) <= 0).any() or ((outer * steps).sum(axis=1) <= 0).any())

    def forward(self) -> Curve:
        """Return it as straight lines run: to the right, or down if it is much higher than wide."""
        x, y = self.middle[-1] - self.middle[0]
        back = y < 0 if abs(y) >= 1.5 * abs(x) else x < 0
        return self.reversed() if back else self


def lengthened(line: Points, by: float) -> Points:
    """Return the line, at both ends so much longer, straight on."""
    first, last = _unit(line[0] - line[1]), _unit(line[-1] - line[-2])
    return np.concatenate([[line[0] + by * first], line, [line[-1] + by * last]])


def evenly(line: Points, count: int) -> Points:
    """Return so many points on the line, as far from each other along it."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    places = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, places[-1], count)
    return np.stack([np.interp(wanted, places, line[:, axis]) for axis in (0, 1)], axis=-1)


def sagitta(line: Points) -> float:
    """Return how far the line leaves the straight way between its ends."""
    along = _unit(line[-1] - line[0])
    away = line - line[0]
    return float(np.abs(away[:, 0] * along[1] - away[:, 1] * along[0]).max())


def _directions(line: Points) -> NDArray[np.float64]:
    along = np.gradient(line, axis=0)
    return np.asarray(np.arctan2(along[:, 1], along[:, 0]))


def _normals(line: Points) -> Points:
    """Return for each point the unit vector that leads below the line."""
    directions = _directions(line)
    return np.stack([-np.sin(directions), np.cos(directions)], axis=-1)


def _unit(vector: Points) -> Points:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))
