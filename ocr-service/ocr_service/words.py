"""The words of a line. Recognizers cut them where letters stand wide apart; here they end where the text says."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from ocr_service.engines import Word


def whole(words: Sequence[Word], text: str) -> tuple[Word, ...]:
    """Join the pieces of words between which a line's text has no space; characters of wide scripts stay single.

    The pieces are in the order of the text. One that is not in the text is left as it is.
    """
    joined: list[Word] = []
    at, open_ = 0, False
    for word in words:
        begin = text.find(word.text, at)
        wide = any(map(_wide, word.text))
        if open_ and begin == at and not wide:
            joined[-1] = _together(joined[-1], word)
        else:
            joined.append(word)
        at = at if begin < 0 else begin + len(word.text)
        open_ = begin >= 0 and not wide
    return tuple(joined)


def _together(first: Word, second: Word) -> Word:
    """Return one word from the first's begin to the second's end; both have four corners from their top left."""
    left, right = first.polygon, second.polygon
    return Word((left[0], right[1], right[2], left[3]), first.text + second.text)


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
