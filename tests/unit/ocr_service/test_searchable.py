"""Searchable PDFs, read back with the library that wrote them."""

from __future__ import annotations

import io

import numpy as np
import pypdfium2
import pytest

from cleanplate.contract.messages import DetectedRegion
from cleanplate.runtime.pdf.documents import OpenPdf
from ocr_service.detect import region
from ocr_service.engines import Line
from ocr_service.searchable import SearchablePdf


def line(text: str, left: float = 20, top: float = 40, width: float = 100, height: float = 20) -> DetectedRegion:
    right, bottom = left + width, top + height
    return region(Line(((left, top), (right, top), (right, bottom), (left, bottom)), text, 1.0), "r1")


def blank(width: float = 200, height: float = 100, rotation: int = 0) -> bytes:
    document, file = pypdfium2.PdfDocument.new(), io.BytesIO()
    document.new_page(width, height).set_rotation(rotation)
    document.save(file)
    document.close()
    return file.getvalue()


def layered(pdf: bytes | None, *lines: DetectedRegion, size: tuple[int, int] = (100, 200)) -> bytes:
    made = SearchablePdf(pdf, [line.text for line in lines], 72)
    if pdf is None:
        made.add_page(np.full((*size, 3), 200, np.uint8), lines)
    else:
        made.add_text(0, size, lines)
    data = made.data()
    made.close()
    return data


def text_of(data: bytes) -> str:
    document = pypdfium2.PdfDocument(data)
    page = document[0].get_textpage()
    text: str = page.get_text_bounded()
    document.close()
    return text


def first_letter(data: bytes) -> tuple[float, float, float, float]:
    document = pypdfium2.PdfDocument(data)
    left, bottom, right, top = document[0].get_textpage().get_charbox(0, loose=True)
    document.close()
    return left, bottom, right, top


@pytest.mark.parametrize("text", ["plain", "h\u00e9llo w\u00f6rld", "\u6f22\u5b57", "a\U0001f600b"])
def test_any_script_can_be_found(text: str) -> None:
    assert text_of(layered(blank(), line(text))) == text


def test_a_text_of_many_characters_keeps_them_all() -> None:
    text = "".join(chr(0x4E00 + number) for number in range(350))
    assert text_of(layered(blank(), line(text))) == text


def test_the_text_lies_over_what_was_read() -> None:
    assert first_letter(layered(blank(), line("abcde"))) == pytest.approx((20, 40, 40, 60), abs=0.3)


def test_a_page_that_was_read_larger_has_its_text_in_the_same_place() -> None:
    made = layered(blank(), line("abcde", 40, 80, 200, 40), size=(200, 400))
    assert first_letter(made) == pytest.approx((20, 40, 40, 60), abs=0.3)


def test_a_turned_page_has_its_text_where_it_is_displayed() -> None:
    left, bottom, right, top = first_letter(layered(blank(rotation=90), line("abcde", 10, 50, 50, 20), size=(200, 100)))
    assert (left, right) == pytest.approx((50, 70), abs=0.3)
    assert (bottom, top) == pytest.approx((10, 20), abs=0.3)


def test_the_text_is_not_seen() -> None:
    before, after = OpenPdf(blank(), 72), OpenPdf(layered(blank(), line("abcde")), 72)
    assert np.array_equal(before.picture(0), after.picture(0))
    before.close()
    after.close()


def test_a_page_that_has_text_of_its_own_gets_no_other() -> None:
    own = layered(blank(), line("own"))
    assert text_of(layered(own, line("other"))) == "own"


def test_a_picture_becomes_a_page_that_shows_it() -> None:
    made = layered(None, line("abcde"))
    assert text_of(made) == "abcde"
    assert first_letter(made) == pytest.approx((20, 40, 40, 60), abs=0.3)
    page = OpenPdf(made, 72)
    assert page.picture(0).shape == (100, 200, 3)
    assert abs(int(page.picture(0)[50, 50, 0]) - 200) <= 2
    page.close()


def test_a_region_without_text_is_left_out() -> None:
    assert text_of(layered(blank(), line(""), line("abc"))) == "abc"


def test_a_picture_longer_than_a_jpeg_can_be_is_shown_smaller() -> None:
    made = layered(None, line("abcde"), size=(66_000, 30))
    assert first_letter(made) == pytest.approx((20, 65_940, 40, 65_960), abs=0.3)
