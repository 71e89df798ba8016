"""What was read on one page, as it is kept and sent: lines, blocks, Markdown and text, or why it could not be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cleanplate.contract.geometry import Box, bounds
from cleanplate.contract.messages import BoxModel, DetectedRegion, Detection
from cleanplate.contract.problems import Problem
from ocr_service.blocks import Block, blocks
from ocr_service.engines import PageText
from ocr_service.figures import Figure
from ocr_service.markdown import markdown, plain
from ocr_service.orientation import placed_back, upright

SURE = 1.0  # engines that write Markdown do not say how sure they are


def layout(
    number: int, seen: Detection, figures: Sequence[Figure] = (), warnings: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what there is to know of a page, counted from 1, of which `figures` were found when it lay upright."""
    width, height = seen.width, seen.height
    found = blocks([upright(region, seen.quarter_turns, width, height) for region in seen.regions])
    for figure in figures:
        found.insert(_place(figure.box, found), _picture(figure))
    given = {region.id: region for region in seen.regions}
    return _page(number, seen, [_as_given(block, given, seen) for block in found], warnings)


def written(
    number: int, seen: Detection, page: PageText, figures: Sequence[Figure] = (), warnings: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the same of a page that an engine has written as Markdown.

    Args:
        number: of the page, counted from 1.
        seen: whose size and engine count; its regions are those of the pieces.
        page: what the engine gave.
        figures: the pictures among its pieces, in their order.
        warnings: what is to be said besides.
    """
    left, found = list(figures), []
    for piece in page.pieces:
        if piece.kind == "picture":
            found += [_picture(left.pop(0))] if left else []
            continue
        region = None if piece.box is None else _region(f"r{len(seen.regions) + 1}", piece.box, piece.markdown)
        seen.regions.extend([region] if region else [])
        found.append(Block("markdown", piece.markdown, (region,) if region else (), label=piece.label))
    return _page(number, seen, found, [*page.warnings, *warnings])


def failure(number: int, problem: Problem) -> dict[str, Any]:
    """Return the same for a page that could not be read."""
    note = f"<!-- page {number} could not be read: {_commented(problem.detail)} -->\n"
    return {"page": number, "error": problem.body(), "regions": [], "blocks": [], "markdown": note, "text": ""}


def _page(number: int, seen: Detection, found: list[Block], warnings: Sequence[str]) -> dict[str, Any]:
    notes = "".join(f"\n<!-- page {number}: {_commented(warning)} -->\n" for warning in warnings)
    return {
        "page": number,
        **seen.model_dump(),
        "blocks": [_block(block) for block in found],
        "markdown": markdown(found) + notes,
        "text": plain(found),
        "warnings": list(warnings),
    }


def _commented(text: str) -> str:
    return text.replace("--", "- -")  # which would end the comment


def _block(block: Block) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "kind": block.kind,
        "text": block.text,
        "box": _around(block),
        "regions": [region.id for region in block.regions],
    }
    if block.kind == "heading":
        shown["level"] = block.level
    elif block.kind == "item":
        shown["marker"] = block.marker
    elif block.kind == "table":
        shown["rows"] = block.rows
    elif block.kind == "picture":
        shown["image"] = block.image
    elif block.kind == "markdown":
        shown["label"] = block.label
    return shown


def _around(block: Block) -> dict[str, float] | None:
    boxes = [region.box.to_box() for region in block.regions] or ([block.box] if block.box else [])
    if not boxes:
        return None
    around = bounds([corner for box in boxes for corner in box.polygon()])
    return BoxModel.of(around).model_dump()


def _as_given(block: Block, regions: Mapping[str, DetectedRegion], seen: Detection) -> Block:
    """Return a block of the upright page where it is on the page as it was given."""
    box = block.box and bounds(placed_back(block.box.polygon(), seen.quarter_turns, seen.width, seen.height))
    return replace(block, regions=tuple(regions[region.id] for region in block.regions), box=box)


def _picture(figure: Figure) -> Block:
    return Block("picture", figure.description, (), image=figure.name, box=figure.box)


def _place(box: Box, found: Sequence[Block]) -> int:
    """Return before which block a picture belongs: the first that begins below its top, and is over or under it."""
    for place, block in enumerate(found):
        around = _around(block)
        if around is not None:
            other = Box(**around)
            if other.y >= box.y and other.x < box.right and box.x < other.right:
                return place
    return len(found)


def _region(id: str, box: Box, text: str) -> DetectedRegion:
    return DetectedRegion(id=id, polygon=list(box.polygon()), box=BoxModel.of(box), text=text, score=SURE, angle=0)
