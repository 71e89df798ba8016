"""Blocks → Markdown and plain text. Pure. What a page says stays text: nothing of it becomes markup.

The exception is what an engine writes as Markdown itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ocr_service.blocks import Block

_MARKUP = re.compile(r"([\\`*<\[\]])|(?<!\w)(_)|(_)(?!\w)")
_LINE_START = re.compile(r"(#{1,6}(?=\s)|>|[-+=~](?=[-+=~\s]|$))|(\d{1,9})([.)])(?=\s)")


def markdown(blocks: Sequence[Block]) -> str:
    """Return the blocks as CommonMark, tables as GitHub's; ends with a line break unless it is empty."""
    pieces: list[str] = []
    for block, before in zip(blocks, [None, *blocks], strict=False):
        tight = before is not None and block.kind == before.kind == "item"
        pieces += ["" if not pieces else "\n" if tight else "\n\n", _block(block)]
    return "".join(pieces) + ("\n" if pieces else "")


def plain(blocks: Sequence[Block]) -> str:
    """Return the blocks as text with an empty line between them."""
    told = [f"{block.marker} {block.text}" if block.kind == "item" else block.text for block in blocks if block.text]
    return "\n\n".join(told) + ("\n" if told else "")


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _MARKUP.sub(lambda found: "\\" + found[0], text)


def started(text: str) -> str:
    """Return text that Markdown shows as it is where it begins a line."""
    return _LINE_START.sub(_unmarked, escaped(text), count=1) if _LINE_START.match(text) else escaped(text)


def _block(block: Block) -> str:
    if block.kind == "table":
        return _table(block.rows)
    if block.kind == "heading":
        return f"{'#' * block.level} {escaped(block.text)}"
    if block.kind == "markdown":
        return block.text
    if block.kind == "picture":
        return f"![{escaped(block.text)}](images/{block.image})"
    if block.kind == "item":
        number = block.marker.rstrip(".)")
        return f"{number + '.' if number.isdigit() else '-'} {started(block.text)}"
    return started(block.text)


def _unmarked(found: re.Match[str]) -> str:
    return f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(escaped(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])
