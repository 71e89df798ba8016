"""How a picture too large for one look is looked at in windows, and how their lines become one list. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from statistics import fmean

from cleanplate.contract.geometry import Box, Point, area, bounds
from ocr_service.engines import Line, Word

LONGEST_WHOLE_PX = 2400
ASPECT_STRIP = 3.0
LONGEST_STRIP_PX = 4000  # an engine scales down what is longer
STRIP_AREA_PX = 1_500_000
SIDE_PX = 1280
OVERLAP_PX = 192

_SAME = 0.5  # intersection over union
_COVERED = 0.6  # share of a line that lines already taken cover
_EDGE = 0.25  # of its height: so near to an inner edge a line may go on behind it
_SAME_ROW = 0.6  # of the lower of the two heights
_LESS_SURE = 0.1  # of scores
_MATCH, _SLACK = 2, 2  # letters


@dataclass(frozen=True)
class Window:
    """A part of the picture, in whole pixels. `whole`: all of it, so that nothing is cut at its edges."""

    x: int
    y: int
    width: int
    height: int
    whole: bool = False


def plan(width: int, height: int) -> list[Window]:
    """Return the windows through which a picture is read, and before them the whole, for lines larger than a window.

    One window, the whole, if the picture is small enough, or a strip of so few pixels that it needs no scaling down.
    """
    whole = Window(0, 0, width, height, whole=True)
    few = width * height <= STRIP_AREA_PX and max(width, height) <= LONGEST_STRIP_PX
    if few if is_strip(width, height) else max(width, height) <= LONGEST_WHOLE_PX:
        return [whole]
    return [whole, *cut(width, height)]


def cut(width: int, height: int) -> list[Window]:
    """Return windows small enough to be read unscaled that cover a picture, each overlapping those beside it."""
    spans = [(x, y) for y in _spans(height) for x in _spans(width)]
    return [Window(x, y, across, down) for (x, across), (y, down) in spans]


def is_strip(width: int, height: int) -> bool:
    """Say whether the picture is so long that scaling its length to a detector's limit would blur its lines."""
    return max(width, height) > ASPECT_STRIP * min(width, height)


def shift(line: Line, x: float, y: float) -> Line:
    """Return the line in a picture whose origin lies (x, y) further to the left and top."""
    return mapped(line, lambda point: (point[0] + x, point[1] + y))


def mapped(line: Line, place: Callable[[Point], Point]) -> Line:
    """Return the line and its words in another picture, where `place` says a point is."""
    words = tuple(replace(word, polygon=tuple(map(place, word.polygon))) for word in line.words)
    return replace(line, polygon=tuple(map(place, line.polygon)), words=words)


def merge(found: Iterable[tuple[Window, Sequence[Line]]], width: int, height: int) -> list[Line]:
    """Make one list of what the windows show.

    Lines that lie inside a window win; what the whole picture shows comes next, for what is larger than a window; then
    pieces that an edge cut off, joined where they go on in the next window.

    Args:
        found: per window its lines, in pixels of the whole picture.
        width: of the whole picture, in pixels.
        height: likewise.
    """
    inside: list[_Found] = []
    wholes: list[_Found] = []
    pieces: list[_Found] = []
    for window, lines in found:
        for one in map(_Found.of, lines):
            cut = not window.whole and _is_cut(one.box, window, width, height)
            (wholes if window.whole else pieces if cut else inside).append(one)
    taken: list[_Found] = []
    for one in sorted(inside, key=lambda one: -one.box.area):
        if not _is_known(one.box, taken):
            taken.append(one)
    taken = _added(wholes, taken)
    joined: list[_Found] = []
    for one in sorted(pieces, key=lambda one: (one.box.x, one.box.y)):
        if not _is_known(one.box, taken):
            _join(one, joined)
    return [one.line for one in taken + joined]


def add(lines: Sequence[Line], more: Iterable[Line], window: Window, width: int, height: int) -> list[Line]:
    """Return the lines, and of those that a closer look through the window showed what is not among them.

    A line of which only pieces were known replaces these; what the window's edge cuts off is left out.
    """
    inside = [one for one in map(_Found.of, more) if not _is_cut(one.box, window, width, height)]
    return [one.line for one in _added(inside, [_Found.of(line) for line in lines])]


@dataclass(frozen=True)
class _Found:
    line: Line
    box: Box

    @property
    def filled(self) -> float:
        """The share of its box that the line takes, less than 1 only of a bent one: others may lie below its arch."""
        polygon = self.line.polygon
        return min(area(polygon) / self.box.area, 1.0) if len(polygon) > 4 and self.box.area else 1.0

    @classmethod
    def of(cls, line: Line) -> _Found:
        return cls(line, bounds(line.polygon))


def _spans(length: int) -> list[tuple[int, int]]:
    """Cut a side into the fewest equal parts of at most `SIDE_PX` that overlap by `OVERLAP_PX`: (start, length)."""
    if length <= SIDE_PX:
        return [(0, length)]
    count = math.ceil((length - OVERLAP_PX) / (SIDE_PX - OVERLAP_PX))
    part = math.ceil((length + (count - 1) * OVERLAP_PX) / count)
    return [(round(i * (length - part) / (count - 1)), part) for i in range(count)]


def _is_cut(box: Box, window: Window, width: int, height: int) -> bool:
    near = 2 + _EDGE * min(box.width, box.height)
    right, bottom = window.x + window.width, window.y + window.height
    return (
        (window.x > 0 and box.x < window.x + near)
        or (window.y > 0 and box.y < window.y + near)
        or (right < width and box.right > right - near)
        or (bottom < height and box.bottom > bottom - near)
    )


def _is_known(box: Box, taken: Sequence[_Found]) -> bool:
    others = [one for one in taken if one.box.overlaps(box)]
    return any(_iou(box, one.box) > _SAME for one in others) or _covered(box, others) >= _COVERED


def _added(more: Iterable[_Found], taken: list[_Found]) -> list[_Found]:
    """Add what is not known; what it covers gives way, unless that was read much more surely."""
    for one in more:
        if _is_known(one.box, taken):
            continue
        inside = [other.line.score for other in taken if _covered(other.box, [one]) >= _COVERED]
        if not inside or one.line.score >= fmean(inside) - _LESS_SURE:
            taken = [other for other in taken if _covered(other.box, [one]) < _COVERED] + [one]
    return taken


def _iou(a: Box, b: Box) -> float:
    shared = a.shared(b)
    return shared / (a.area + b.area - shared) if shared else 0.0


def _covered(box: Box, others: Sequence[_Found]) -> float:
    return sum(box.shared(one.box) * one.filled for one in others) / box.area if box.area else 1.0


def _join(piece: _Found, joined: list[_Found]) -> None:
    """Add a piece to the line that it goes on with, or as a line of its own."""
    for i, one in enumerate(joined):
        if _goes_on(one.box, piece.box):
            joined[i] = _together(one, piece)
            return
        if _iou(one.box, piece.box) > _SAME or _covered(piece.box, [one]) >= _COVERED:
            return
    joined.append(piece)


def _together(first: _Found, second: _Found) -> _Found:
    a, b = first.line, second.line
    text, score = _one_text(first, second), min(a.score, b.score)
    polygon = first.box.union(second.box).polygon()
    new = tuple(word for word in b.words if not _middle_in(word, first.box))
    return _Found.of(replace(a, polygon=polygon, text=text, score=score, words=a.words + new))


def _middle_in(word: Word, box: Box) -> bool:
    placed = bounds(word.polygon)
    return box.overlaps(Box(placed.x + placed.width / 2, placed.y + placed.height / 2, 1e-6, 1e-6))


def _goes_on(a: Box, b: Box) -> bool:
    """Say whether b continues a along their length, further than it; both are pieces of lines that an edge cut."""
    if not a.overlaps(b) or max(b.right - a.right, b.bottom - a.bottom) < _EDGE * min(b.width, b.height):
        return False
    across = min(a.bottom, b.bottom) - max(a.y, b.y) > _SAME_ROW * min(a.height, b.height)
    down = min(a.right, b.right) - max(a.x, b.x) > _SAME_ROW * min(a.width, b.width)
    return (across and a.width > a.height) or (down and a.height > a.width)


def _one_text(first: _Found, second: _Found) -> str:
    """Put the texts together without what both show: by the longest match there, else by the shared length.

    Letters that the edges cut are read as others, so a match need not reach an end of either.
    """
    one, other, a, b = first.line.text, second.line.text, first.box, second.box
    across = a.width > a.height
    shared_px = max(a.right - b.x if across else a.bottom - b.y, 0)
    share_a, share_b = (min(shared_px / (box.width if across else box.height), 1) for box in (a, b))
    begin = max(len(one) - math.ceil(share_a * len(one)) - _SLACK, 0)
    end = min(math.ceil(share_b * len(other)) + _SLACK, len(other))
    match = SequenceMatcher(None, one, other, autojunk=False).find_longest_match(begin, len(one), 0, end)
    if match.size >= _MATCH:
        return one[: match.a + match.size] + other[match.b + match.size :]
    return one + other[round(len(other) * share_b) :]
