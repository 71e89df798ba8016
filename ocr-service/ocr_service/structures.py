"""PP-StructureV3's blocks → pieces of Markdown and pictures. Pure.

What a page says stays text, in tables and at the start of a line too.
A block has a label, a content and a box (`LayoutBlock` in paddlex's `layout_parsing/layout_objects.py`). Of text the
content is what was recognized, its formulas between dollar signs; of a formula it is LaTeX, of a table HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any, Protocol

from cleanplate.contract.geometry import Box, bounds
from ocr_service.engines import Piece
from ocr_service.markdown import escaped, started

PICTURES = frozenset({"image", "figure", "flowchart", "chart", "seal", "header_image", "footer_image"})
TITLES = frozenset({"paragraph_title", "abstract_title", "reference_title", "content_title"})
DEEPEST = 6

_NUMBERED = re.compile(r"\d{1,3}((?:\.\d{1,3})*)")
_MATH = re.compile(r"(\$[^$\n]+\$)")
_LINES = re.compile(r"\s*\n\s*")
_IN_TABLE = re.compile(r"img_in_\w+_box_(\d+)_(\d+)_(\d+)_(\d+)\.")
_CELLS = frozenset({"tr", "td", "th", "thead", "tbody"})
_AROUND = frozenset({"html", "body", "table", "div", "b", "img"})  # that paddlex itself writes
_SPANS = ("colspan", "rowspan")
_LONGEST_SPAN = 1000


class Found(Protocol):
    """What is taken from a block. `bbox` is left, top, right, bottom in pixels of the page."""

    @property
    def label(self) -> str: ...

    @property
    def content(self) -> str: ...

    @property
    def bbox(self) -> Sequence[float]: ...


def pieces(found: Sequence[Found], width: int, height: int, *, formulas: bool) -> list[Piece]:
    """Return a page in its order.

    Args:
        found: its blocks, in reading order.
        width: of the page, in pixels.
        height: of the page, in pixels.
        formulas: whether formulas were recognized; else they are pictures.
    """
    return [piece for block in found for piece in _pieces(block, width, height, formulas)]


def _pieces(block: Found, width: int, height: int, formulas: bool) -> Iterator[Piece]:
    box = _box(block.bbox, width, height)
    if block.label in PICTURES or (block.label == "formula" and not formulas):
        if box is not None:
            yield Piece("picture", box=box, label=block.label)
        return
    if block.label == "table":
        markdown, inside = _table(block.content)
    else:
        markdown, inside = _markdown(block.label, block.content.strip(), formulas), []
    if markdown:
        yield Piece("markdown", markdown, box, block.label)
    boxes = (_box(corners, width, height) for corners in inside)
    yield from (Piece("picture", box=part, label="image") for part in boxes if part is not None)


def _markdown(label: str, content: str, formulas: bool) -> str:
    if not content:
        return ""
    if label == "formula":
        return f"$$\n{content.strip('$').strip()}\n$$"
    if label == "algorithm":
        fence = "`" * max(3, *(len(ticks) + 1 for ticks in re.findall("`+", content) or [""]))
        return f"{fence}\n{content}\n{fence}"
    lines = _LINES.split(content)
    if label == "doc_title" or label in TITLES:
        level = 1 if label == "doc_title" else _level(content)
        return f"{'#' * level} {' '.join(_text(line, formulas, escaped) for line in lines)}"
    return ("\\\n" if label == "content" else "\n\n").join(_text(line, formulas, started) for line in lines)


def _text(line: str, formulas: bool, begun: Callable[[str], str]) -> str:
    """Return a line with all but its formulas escaped, and its begin by `begun`."""
    first, *parts = _MATH.split(line) if formulas else [line]
    return begun(first) + "".join(escaped(part) if place % 2 else part for place, part in enumerate(parts))


def _level(title: str) -> int:
    """Return the level of a title, below the document's own: one deeper for each further number before it."""
    number = _NUMBERED.match(title)
    return min(2 + (number[1].count(".") if number else 0), DEEPEST)


def _table(html: str) -> tuple[str, list[tuple[float, ...]]]:
    """Return a table's own elements as HTML, and the corners of the pictures in its cells."""
    table = _Table(convert_charrefs=True)
    table.feed(html)
    table.close()
    text = " ".join("".join(table.parts).split())
    return (f"<table>{text}</table>" if text else ""), table.pictures


class _Table(HTMLParser):
    """Keeps the rows and cells of a table with what they span, and their text as text, whatever it looks like."""

    def __init__(self, *, convert_charrefs: bool):
        super().__init__(convert_charrefs=convert_charrefs)
        self.parts: list[str] = []
        self.pictures: list[tuple[float, ...]] = []

    def set_cdata_mode(self, *_: Any, **__: Any) -> None:
        """Let markup be markup in every element: a page may show the tag of a script."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _CELLS:
            spans = [(name, int(value)) for name, value in attrs if name in _SPANS and value and value.isdecimal()]
            told = "".join(f' {name}="{min(span, _LONGEST_SPAN)}"' for name, span in spans if span > 1)
            self.parts.append(f"<{tag}{told}>")
        elif tag == "img" and (place := _IN_TABLE.search(dict(attrs).get("src") or "")):
            self.pictures.append(tuple(float(number) for number in place.groups()))
        elif tag not in _AROUND:
            self.handle_data(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _CELLS:
            self.parts.append(f"</{tag}>")
        elif tag not in _AROUND:
            self.handle_data(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(escape(data, quote=False))


def _box(corners: Sequence[float], width: int, height: int) -> Box | None:
    left, top, right, bottom = (float(number) for number in corners)
    box = bounds(((left, top), (right, bottom))).clip(width, height)
    return box if box.area > 0 else None
