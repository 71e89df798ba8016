"""Searchable PDFs, read back with the library that wrote them."""

from __future__ import annotations

import io
import math

import numpy as np
import pypdfium2
import pytest

from cleanplate.contract.messages import DetectedRegion
from cleanplate.runtime.pdf.documents import OpenPdf
from ocr_service.detect import region
from ocr_service.engines import Line
from ocr_service.engines.ribbons import Curve
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


def letters(data: bytes) -> list[tuple[float, float]]:
    """Return the middle of each letter, from the page's top left, in its order."""
    document = pypdfium2.PdfDocument(data)
    page = document[0].get_textpage()
    boxes = [page.get_charbox(index, loose=True) for index in range(page.count_chars())]
    height = document[0].get_height()
    document.close()
    return [((left + right) / 2, height - (bottom + top) / 2) for left, bottom, right, top in boxes]


def turned(degrees: float, *, upside_down: bool = False) -> DetectedRegion:
    """A line of 100 by 20 around (100, 100), found as detectors do: from its upper left corner on."""
    turn = math.radians(degrees)
    corners = [
        (100 + x * math.cos(turn) - y * math.sin(turn), 100 + x * math.sin(turn) + y * math.cos(turn))
        for x, y in ((-50, -10), (50, -10), (50, 10), (-50, 10))
    ]
    first = min(range(4), key=lambda place: sum(corners[place]))
    return region(Line((*corners[first:], *corners[:first]), "abcde", 1.0, upside_down or None), "r1")


@pytest.mark.parametrize("degrees", [0, 10, -30, 40])
def test_the_text_of_a_slanting_line_slants_with_it(degrees: float) -> None:
    placed = letters(layered(blank(200, 200), turned(degrees), size=(200, 200)))
    turn = math.radians(degrees)
    wanted = [(100 + along * math.cos(turn), 100 + along * math.sin(turn)) for along in (-40, -20, 0, 20, 40)]
    assert placed == [pytest.approx(point, abs=2) for point in wanted]


def test_the_text_of_a_line_that_runs_down_runs_down() -> None:
    placed = letters(layered(blank(200, 200), turned(90), size=(200, 200)))
    assert placed == [pytest.approx((100, down), abs=1) for down in (60, 80, 100, 120, 140)]


def test_the_text_of_a_line_that_is_upside_down_runs_to_the_left() -> None:
    placed = letters(layered(blank(200, 200), turned(0, upside_down=True), size=(200, 200)))
    assert placed == [pytest.approx((across, 100), abs=1) for across in (140, 120, 100, 80, 60)]


def test_the_text_of_a_bent_line_runs_as_the_line_does() -> None:
    curve = Curve(np.array([(20.0 + 16 * n, 150.0 - 12 * n - 4 * math.sin(n / 3)) for n in range(11)]), 10.0)
    (first, *_, last) = letters(
        layered(blank(200, 200), region(Line(curve.outline(), "abcde", 1.0), "r1"), size=(200, 200))
    )
    assert math.degrees(math.atan2(last[1] - first[1], last[0] - first[0])) == pytest.approx(-37, abs=5)


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
