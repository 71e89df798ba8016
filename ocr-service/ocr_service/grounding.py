"""DeepSeek-OCR's markup: `<|ref|>label<|/ref|><|det|>[[x1, y1, x2, y2], …]<|/det|>`, then the piece's Markdown. Pure.

The numbers are shares of the page, 0 to 999. Models forget to close tags, mix up corners and leave the page: whatever
comes, all that is no markup stays, and boxes are inside the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cleanplate.contract.geometry import Box, bounds

LAST = 999

_TAG = re.compile(r"<\|(/?(?:ref|det|grounding))\|>|<[|\uff5c](?:begin|end)▁of▁[a-z]{1,20}[|\uff5c]>")
_NUMBER = r"\s{0,9}(-?\d{1,9}(?:\.\d{0,9})?)\s{0,9}"
_BOX = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")
_UNCLOSED = re.compile(r"\s{0,9}\[(?:[\s,]{0,9}\[[^\[\]]{0,99}\])*\s{0,9}\]?")


@dataclass(frozen=True)
class Grounded:
    """A label, where it is, in pixels of the page, and the text that follows. The first may have no label."""

    label: str
    boxes: tuple[Box, ...]
    text: str


def grounded(reply: str, width: int, height: int) -> list[Grounded]:
    """Return the pieces of a reply about a page of this size; what comes before the first tag is a piece too."""
    found: list[Grounded] = []
    label, boxes, texts = "", "", [""]
    tagged = _tagged(reply)
    for (tag, text), (following, _) in zip(tagged, [*tagged[1:], ("", "")], strict=True):
        if tag == "ref":
            found.append(Grounded(label, _boxes(boxes, width, height), _joined(texts)))
            label, boxes, texts = "", "", []
        if tag == "ref" and following in ("/ref", "det"):
            label = text.strip()
        elif tag == "det":
            numbers = text if following == "/det" else _beginning(text)
            boxes += numbers
            texts.append(text[len(numbers) :])
        else:
            texts.append(text)
    found.append(Grounded(label, _boxes(boxes, width, height), _joined(texts)))
    return [piece for piece in found if piece.label or piece.boxes or piece.text]


def _tagged(reply: str) -> list[tuple[str, str]]:
    """Return each tag with the text behind it, first no tag with what is before them all."""
    pairs, tag, end = [], "", 0
    for match in _TAG.finditer(reply):
        pairs.append((tag, reply[end : match.start()]))
        tag, end = match[1] or "", match.end()
    return [*pairs, (tag, reply[end:])]


def _beginning(text: str) -> str:
    """Return the boxes with which the text begins behind a tag that was not closed."""
    match = _UNCLOSED.match(text)
    return match[0] if match else ""


def _joined(texts: list[str]) -> str:
    """Put together what was around tags, with a space between, lest halves of a tag become one."""
    return " ".join(text for text in texts if text).strip()


def _boxes(text: str, width: int, height: int) -> tuple[Box, ...]:
    """Return the boxes with an area, clipped to the page, whatever the order of their corners."""
    boxes = []
    for match in _BOX.finditer(text):
        x1, y1, x2, y2 = (min(max(float(number), 0.0), LAST) for number in match.groups())
        corners = ((x1 * width / LAST, y1 * height / LAST), (x2 * width / LAST, y2 * height / LAST))
        box = bounds(corners).clip(width, height)
        boxes += [box] if box.area > 0 else []
    return tuple(boxes)
