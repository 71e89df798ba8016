"""Words as the line's text has them, whatever a recognizer cut them into."""

from __future__ import annotations

import pytest

from cleanplate.contract.geometry import Box
from ocr_service.engines import Word
from ocr_service.words import whole


def pieces(*texts: str) -> list[Word]:
    return [Word(Box(10 * i, 0, 10, 5).polygon(), text) for i, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("cut", "text", "words"),
    [
        (("OPE", "N-AIR", "FIL", "M"), "OPEN-AIR FILM", ["OPEN-AIR", "FILM"]),
        (("IS", "IT"), "IS IT", ["IS", "IT"]),
        (("Page", "1"), "Page1", ["Page1"]),
        (("東", "京", "Tower"), "東京Tower", ["東", "京", "Tower"]),
        (("a", "東", "b"), "a東b", ["a", "東", "b"]),
        (("the", "the"), "the the", ["the", "the"]),
        (("lost", "word"), "word", ["lost", "word"]),
        ((), "nothing", []),
    ],
)
def test_words_end_where_the_text_says(cut: tuple[str, ...], text: str, words: list[str]) -> None:
    assert [word.text for word in whole(pieces(*cut), text)] == words


def test_a_joined_word_reaches_from_its_first_piece_to_its_last() -> None:
    (word,) = whole(pieces("ab", "cd", "e"), "abcde")
    assert word.polygon == Box(0, 0, 30, 5).polygon()
