"""Where a page's lines of text are to be cut: at gutters between columns, at white bands, around tables. Pure.

All lengths are in text heights of the page's body, so that nothing depends on its resolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from statistics import median

from cleanplate.contract.messages import DetectedRegion

BAND_GAP = 0.8  # so much white between two lines sets them apart
WIDEST = 0.9  # gaps of this share of the widest count as the widest: else a long list is cut line by line
GUTTER = 1.0  # so much white across all lines makes columns
CELL_WIDTH = 10.0  # the median cell of a table is narrower; the lines of a column of prose are wider

Row = list[DetectedRegion]


def parts(lines: Row, body: float) -> list[Row]:
    """Return what belongs together, in reading order: tables, and text without gutters and wide white bands."""
    done: list[Row] = []
    open_ = [lines]
    while open_:
        part = open_.pop()
        pieces = _around_table(part, body) or columns(part, body)
        if len(pieces) < 2:
            pieces = _cut(part, _down, BAND_GAP * body, widest=True)
        if len(pieces) < 2 or is_table(part, body):
            done.append(part)
        else:
            open_ += reversed(pieces)
    return done


def columns(lines: Row, body: float) -> list[Row]:
    """Return the lines by columns from the left; all in one where there is no gutter."""
    return _cut(lines, _across, GUTTER * body)


def is_table(lines: Row, body: float) -> bool:
    """Say whether these are cells: short, in two rows or more, of which each has one or none in every column."""
    rows = rows_of(lines)
    if len(rows) < 2 or any(len(row) < 2 for row in rows):
        return False
    short = median(line.box.width for line in lines) <= CELL_WIDTH * body
    return short and all(len(rows_of(column)) == len(column) for column in columns(lines, body))


def rows_of(lines: Sequence[DetectedRegion]) -> list[Row]:
    """Return the lines by rows from the top, each from the left. A line is in a row if its middle is."""
    rows: list[Row] = []
    for line in sorted(lines, key=lambda line: line.box.y + line.box.height / 2):
        first = rows[-1][0].box if rows else None
        if first is not None and line.box.y + line.box.height / 2 < first.y + first.height:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.box.x) for row in rows]


def _around_table(lines: Row, body: float) -> list[Row]:
    """Return what is above the first table, the table, and what is below it; nothing if there is none."""
    before: Row = []
    runs = [[line for row in run for line in row] for _, run in groupby(rows_of(lines), lambda row: len(row) > 1)]
    for number, run in enumerate(runs):
        if is_table(run, body):
            after = [line for rest in runs[number + 1 :] for line in rest]
            return [part for part in (before, run, after) if part]
        before += run
    return []


def _cut(
    lines: Row, span: Callable[[DetectedRegion], tuple[float, float]], least: float, *, widest: bool = False
) -> list[Row]:
    """Cut the lines where their spans leave a gap of at least so much: everywhere, or where it is about the widest."""
    ordered = sorted(lines, key=span)
    gaps, end = [], -math.inf
    for place, line in enumerate(ordered):
        begin, stop = span(line)
        if place and begin - end >= least:
            gaps.append((begin - end, place))
        end = max(end, stop)
    least = WIDEST * max(gaps)[0] if widest and gaps else 0.0
    places = [place for gap, place in gaps if gap >= least]
    return [ordered[a:b] for a, b in zip([0, *places], [*places, len(ordered)], strict=True)]


def _across(line: DetectedRegion) -> tuple[float, float]:
    return line.box.x, line.box.x + line.box.width


def _down(line: DetectedRegion) -> tuple[float, float]:
    return line.box.y, line.box.y + line.box.height
