"""Lines of text → blocks in reading order: headings, paragraphs, list items, simple tables. Pure; no layout model.

What is not clear stays a paragraph.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Literal

from cleanplate.contract.geometry import Box, text_height
from cleanplate.contract.messages import DetectedRegion
from ocr_service.cuts import Row, columns, is_table, parts, rows_of

INDENT = 1.0
HEADING_HEIGHTS = ((2.0, 1), (1.6, 2), (1.35, 3))  # of the body's height, and the level
HEADING_ROWS = 3
_STEEP = math.sin(math.radians(45))
_ITEM = re.compile(r"([-\u2013•◦▪●○■□·*]|\d{1,3}[.)]|[a-zA-Z][)])\s+(?=\S)")
_JOINED = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")  # scripts that put no space between words

Kind = Literal["heading", "paragraph", "item", "table", "markdown", "picture"]


@dataclass(frozen=True)
class Block:
    """What belongs together. `level` is a heading's, 1 to 3; `rows` a table's cells; `marker` a list item's.

    The `text` of "markdown" is an engine's own Markdown, and `label` its own name for what it is. `image` is the name
    of a picture's file, the `text` its description. `box` is that of what has no regions.
    """

    kind: Kind
    text: str
    regions: tuple[DetectedRegion, ...]
    level: int = 0
    marker: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    label: str = ""
    image: str = ""
    box: Box | None = None


def blocks(regions: Sequence[DetectedRegion]) -> list[Block]:
    """Return the blocks of a page; text that runs up or down comes last, as it is."""
    read = [region for region in regions if region.text.strip()]
    level = [region for region in read if not _is_steep(region)]
    steep = [region for region in read if _is_steep(region)]
    if not level:
        return [Block("paragraph", region.text.strip(), (region,)) for region in steep]
    body = _body_height(level)
    found = [block for part in parts(level, body) for block in _blocks_of(part, body)]
    return found + [Block("paragraph", region.text.strip(), (region,)) for region in steep]


def _is_steep(region: DetectedRegion) -> bool:
    return abs(math.sin(math.radians(region.angle))) >= _STEEP


def _blocks_of(part: Row, body: float) -> list[Block]:
    if is_table(part, body):
        return [_table(part, columns(part, body))]
    left = min(line.box.x for line in part)
    groups: list[list[Row]] = []
    for row in rows_of(part):
        if not groups or _begins(row, groups[-1][-1], left, body):
            groups.append([row])
        else:
            groups[-1].append(row)
    return [_block(group, body) for group in groups]


def _begins(row: Row, before: Row, left: float, body: float) -> bool:
    """Say whether a row begins a new block after the one before it."""
    if _ITEM.match(_text([row])) or _level([row], body) != _level([before], body):
        return True
    indented = row[0].box.x - left >= INDENT * body
    return indented and before[0].box.x - left < INDENT * body and not _ITEM.match(_text([before]))


def _block(rows: list[Row], body: float) -> Block:
    text, regions = _text(rows), tuple(line for row in rows for line in row)
    level = _level(rows, body)
    if level and len(rows) <= HEADING_ROWS:
        return Block("heading", text, regions, level=level)
    item = _ITEM.match(text)
    if item:
        return Block("item", text[item.end() :], regions, marker=item[1])
    return Block("paragraph", text, regions)


def _table(lines: Row, columns: list[Row]) -> Block:
    place = {line.id: number for number, column in enumerate(columns) for line in column}
    grid = []
    for row in rows_of(lines):
        cells = [""] * len(columns)
        for line in row:
            cells[place[line.id]] = line.text.strip()
        grid.append(tuple(cells))
    text = "\n".join("\t".join(cells) for cells in grid)
    return Block("table", text, tuple(line for row in rows_of(lines) for line in row), rows=tuple(grid))


def _body_height(lines: Row) -> float:
    """Return the height of most characters."""
    heights = sorted((text_height(line.polygon), len(line.text)) for line in lines)
    until = list(accumulate(count for _, count in heights))
    return max(heights[bisect_left(until, until[-1] / 2)][0], 1.0)


def _level(rows: list[Row], body: float) -> int:
    height = median(text_height(line.polygon) for row in rows for line in row)
    return next((level for share, level in HEADING_HEIGHTS if height >= share * body), 0)


def _text(rows: list[Row]) -> str:
    text = ""
    for piece in (line.text.strip() for row in rows for line in row):
        if text.endswith("-") and text[-2:-1].isalpha() and piece[:1].islower():
            text = text[:-1] + piece
        else:
            text += ("" if _JOINED.match(text[-1:]) and _JOINED.match(piece) else " ") + piece if text else piece
    return text
