"""Bent lines, told from marks like a detector's: outlined along their bend, laid flat, and put in their place."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cleanplate.contract.geometry import Point, area, is_convex
from ocr_service.engines import Line, ReadOptions
from ocr_service.engines.curves import find, instead
from ocr_service.engines.ribbons import Curve

SIDE, MIDDLE = 500, (250.0, 250.0)
RADIUS, THICK = 150.0, 20
OPTIONS = ReadOptions()


def arc(start: float, end: float, *, thick: int = THICK, strength: float = 1.0) -> NDArray[np.float32]:
    """Return marks along a circle, clockwise, from one angle to another in degrees, 0 being on the right."""
    angles = np.radians(np.linspace(start, end, 100))
    points = np.stack([MIDDLE[0] + RADIUS * np.cos(angles), MIDDLE[1] + RADIUS * np.sin(angles)], axis=-1)
    marks = np.zeros((SIDE, SIDE), np.float32)
    inner = points + (thick / 2) * (np.array(MIDDLE) - points) / RADIUS
    outer = points - (thick / 2) * (np.array(MIDDLE) - points) / RADIUS
    cv2.fillPoly(marks, [np.round(np.concatenate([inner, outer[::-1]])).astype(np.int32)], strength)
    return marks


def only(marks: NDArray[np.float32]) -> Curve:
    (curve,) = find(marks, OPTIONS, SIDE, SIDE)
    return curve


def from_middle(point: Point) -> float:
    return math.dist(point, MIDDLE)


@pytest.mark.parametrize(
    ("start", "end", "above"),
    [(-140, -40, True), (-190, -20, True), (40, 140, False), (-50, 50, True), (130, 230, False)],
    ids=["arch", "more than a third of a circle", "bowl", "down on the right", "down on the left"],
)
def test_the_outline_follows_the_bend_on_both_sides(start: float, end: float, above: bool) -> None:
    outline = only(arc(start, end)).outline()
    top, bottom = outline[: len(outline) // 2], outline[len(outline) // 2 :]
    assert len(outline) > 4
    assert not is_convex(outline)
    outer, inner = (top, bottom) if above else (bottom, top)
    assert min(map(from_middle, outer)) > RADIUS + THICK / 2
    assert max(map(from_middle, inner)) < RADIUS - THICK / 2


def test_the_outline_is_tighter_than_any_rectangle_and_holds_all_that_is_marked() -> None:
    marks = arc(-150, -30)
    outline = np.array(only(marks).outline(), np.float32)
    rectangle = cv2.minAreaRect(np.argwhere(marks)[:, ::-1].astype(np.float32))
    inside = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(inside, [np.round(outline).astype(np.int32)], 1)
    assert inside[marks > 0].mean() > 0.99
    assert area([(float(x), float(y)) for x, y in outline]) < 0.9 * rectangle[1][0] * rectangle[1][1]


def test_a_line_begins_on_the_left_or_at_the_top_if_it_runs_down() -> None:
    assert only(arc(-140, -40)).outline()[0][0] < MIDDLE[0]
    assert only(arc(40, 140)).outline()[0][0] < MIDDLE[0]
    assert only(arc(-50, 50)).outline()[0][1] < MIDDLE[1]


@pytest.mark.parametrize("turn", [0, 7, 45, 90])
def test_a_straight_line_is_no_curve(turn: float) -> None:
    marks = np.zeros((SIDE, SIDE), np.float32)
    corners = cv2.boxPoints((MIDDLE, (300.0, float(THICK)), turn))
    cv2.fillPoly(marks, [np.round(corners).astype(np.int32)], 1.0)
    assert find(marks, OPTIONS, SIDE, SIDE) == []


def test_what_is_no_ribbon_is_no_curve() -> None:
    star, ring = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for turn in (0, 60, 120):
        cv2.fillPoly(star, [np.round(cv2.boxPoints((MIDDLE, (300.0, float(THICK)), turn))).astype(np.int32)], 1.0)
    cv2.circle(ring, (250, 250), 150, 1.0, THICK)
    assert find(star, OPTIONS, SIDE, SIDE) == []
    assert find(ring, OPTIONS, SIDE, SIDE) == []


def test_what_is_marked_weakly_is_not_found() -> None:
    assert find(arc(-140, -40, strength=0.7), OPTIONS, SIDE, SIDE)
    assert find(arc(-140, -40, strength=0.7), replace(OPTIONS, det_box_thresh=0.8), SIDE, SIDE) == []
    assert find(arc(-140, -40, strength=0.4), OPTIONS, SIDE, SIDE) == []


def test_a_curve_is_in_pixels_of_the_picture_not_of_its_marks() -> None:
    (curve,), small = find(arc(-140, -40), OPTIONS, 2 * SIDE, 2 * SIDE), only(arc(-140, -40))
    assert np.allclose(np.array(curve.outline()[0]) / 2, small.outline()[0], atol=1)


def test_a_picture_laid_flat_and_what_is_found_in_it_placed_back() -> None:
    curve = only(arc(-140, -40))
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    outer = RADIUS + 4
    angle = math.radians(-60)
    spot = MIDDLE[0] + outer * math.cos(angle), MIDDLE[1] + outer * math.sin(angle)
    cv2.circle(picture, (round(spot[0]), round(spot[1])), 3, (255, 255, 255), -1)
    flat = curve.flat(picture)
    assert abs(flat.shape[1] - curve.length) <= 1
    y, x = np.argwhere(flat[:, :, 0] > 128).mean(axis=0)
    assert y < flat.shape[0] / 2
    (back,) = curve.placed([(float(x) + 0.5, float(y) + 0.5)])
    assert math.dist(back, spot) < 2


def line(curve: Curve, text: str, score: float) -> Line:
    return Line(curve.outline(), text, score)


def test_a_bent_line_replaces_what_covers_it_and_leaves_what_lies_below_its_arch() -> None:
    bent = line(only(arc(-150, -30)), "over the arch", 0.9)
    piece = Line(((200.0, 80.0), (300.0, 80.0), (300.0, 120.0), (200.0, 120.0)), "the", 0.99)
    below = Line(((200.0, 230.0), (300.0, 230.0), (300.0, 260.0), (200.0, 260.0)), "below", 0.9)
    assert instead([below, piece], [bent]) == [below, bent]
    assert instead([piece, below], [bent]) == [bent, below]


def test_a_text_that_was_read_more_surely_from_a_rectangle_stays() -> None:
    bent = line(only(arc(-125, -55)), "slightly bent", 0.9)
    straight = Line(((140.0, 70.0), (360.0, 70.0), (360.0, 180.0), (140.0, 180.0)), "slightly bent!", 0.95)
    assert instead([straight], [bent]) == [replace(straight, polygon=bent.polygon)]
