"""Which erased regions can still be read: where they were, text is found that is like theirs. Pure.

A recognizer sees single letters in smooth fills that hold none, so text of another kind does not count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Self

from cleanplate.contract.geometry import Box
from cleanplate.contract.messages import DetectedRegion

SAME_TEXT = 0.5  # of difflib's ratio
SAME_PLACE = 0.3  # of the smaller of both boxes


@dataclass(frozen=True)
class Reading:
    """A line of text as it was read, and its place in pixels of the picture."""

    box: Box
    text: str
    score: float

    @classmethod
    def of(cls, region: DetectedRegion, x: float = 0.0, y: float = 0.0) -> Self:
        """Return the reading of a region that was found in a cut whose origin lies at (x, y)."""
        box = region.box
        return cls(Box(box.x + x, box.y + y, box.width, box.height), region.text, region.score)


def still_readable(erased: Reading, found: Sequence[Reading], min_score: float = 0.0) -> bool:
    """Say whether one of the lines found afterwards is at the erased one's place and reads like it.

    Args:
        erased: as it was read before.
        found: what is read now.
        min_score: where the erased one had no letters to compare, any text read with more than this counts.
    """
    letters = _letters(erased.text)
    return any(
        _alike(letters, _letters(other.text)) if letters else other.score > min_score
        for other in found
        if _same_place(erased.box, other.box)
    )


def _same_place(a: Box, b: Box) -> bool:
    return a.overlaps(b) and a.shared(b) > SAME_PLACE * min(a.area, b.area)


def _alike(before: str, now: str) -> bool:
    return SequenceMatcher(None, before, now).ratio() > SAME_TEXT


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text).lower()
