"""What was read on one page, as it is kept and sent: lines, blocks, Markdown and text, or why it could not be read."""

from __future__ import annotations

from typing import Any

from cleanplate.contract.messages import DetectedRegion, Detection
from cleanplate.contract.problems import Problem
from ocr_service.blocks import Block, blocks
from ocr_service.markdown import markdown, plain


def layout(number: int, seen: Detection) -> dict[str, Any]:
    """Return what there is to know of a page, counted from 1; boxes are in pixels of the page as it was read."""
    found = blocks(seen.regions)
    shown = [_block(block) for block in found]
    return {"page": number, **seen.model_dump(), "blocks": shown, "markdown": markdown(found), "text": plain(found)}


def failure(number: int, problem: Problem) -> dict[str, Any]:
    """Return the same for a page that could not be read."""
    text = problem.detail.replace("--", "- -")  # which would end the comment
    note = f"<!-- page {number} could not be read: {text} -->\n"
    return {"page": number, "error": problem.body(), "regions": [], "blocks": [], "markdown": note, "text": ""}


def _block(block: Block) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "kind": block.kind,
        "text": block.text,
        "box": _around(block.regions),
        "regions": [region.id for region in block.regions],
    }
    if block.kind == "heading":
        shown["level"] = block.level
    elif block.kind == "item":
        shown["marker"] = block.marker
    elif block.kind == "table":
        shown["rows"] = block.rows
    return shown


def _around(regions: tuple[DetectedRegion, ...]) -> dict[str, float]:
    boxes = [region.box for region in regions]
    x, y = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
    return {"x": x, "y": y, "width": right - x, "height": bottom - y}
