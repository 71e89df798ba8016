"""The text that a PDF's page has of its own: where it is, and when it is not trusted."""

from __future__ import annotations

import pytest

from cleanplate.contract.geometry import Box
from cleanplate.runtime.pdf.layers import TextWord
from cleanplate.runtime.pdf.renderer import PdfRenderer
from tests.fakes.typed import INVISIBLE, TWO_LINES, UPWARDS, typed


def text(pdf: bytes, dpi: int = 72) -> list[list[TextWord]] | None:
    renderer = PdfRenderer(pdf, dpi, 30.0, 10_000_000)
    try:
        return renderer.text(0)
    finally:
        renderer.close()


def edges(box: Box) -> tuple[float, float, float, float]:
    return box.x, box.y, box.right, box.bottom


@pytest.mark.parametrize(
    ("pdf", "dpi", "first"),
    [
        (typed(TWO_LINES), 72, (50, 81, 95.5, 104.5)),
        (typed(TWO_LINES), 144, (100, 162, 191, 209)),
        (typed(TWO_LINES, crop=[40, 100, 390, 290]), 72, (10, 71, 55.5, 94.5)),
        (typed(UPWARDS, rotate=90), 72, (50, 81, 95.5, 104.5)),
    ],
    ids=["plain", "larger", "cropped", "turned"],
)
def test_each_word_is_told_with_its_place(pdf: bytes, dpi: int, first: tuple[float, ...]) -> None:
    found = text(pdf, dpi)
    assert found is not None
    assert found[0][0][0] == "Hello"
    assert edges(found[0][0][1]) == pytest.approx(first, abs=0.5)


def test_lines_and_words_are_told_apart() -> None:
    found = text(typed(TWO_LINES)) or []
    assert [[word for word, _ in line] for line in found] == [["Hello", "wide", "world"], ["second", "line"]]


@pytest.mark.parametrize(
    "pdf",
    [
        typed(b""),
        typed(INVISIBLE),
        typed(UPWARDS),
        typed(TWO_LINES, rotate=180),
        typed(TWO_LINES, picture_side=100),
    ],
    ids=["none", "invisible", "upwards", "upside down", "with a picture"],
)
def test_doubtful_text_is_not_told(pdf: bytes) -> None:
    assert text(pdf) is None


def test_a_logo_is_no_doubt() -> None:
    assert text(typed(TWO_LINES, picture_side=20)) is not None
