"""PDFs page by page, with files made here."""

from __future__ import annotations

import io
import threading
from contextlib import closing

import numpy as np
import pypdfium2
import pytest
from numpy.typing import NDArray
from PIL import Image

from cleanplate.contract.problems import Invalid, Malformed, TooLarge
from cleanplate.runtime.pdf.documents import DPI, PAGE_LIMIT, PIXEL_LIMIT, OpenPdf, chosen_pages, page_count
from cleanplate.runtime.pdf.ranges import page_numbers


def pdf_pages(
    file: bytes,
    *,
    dpi: float = DPI,
    ranges: str | None = None,
    page_limit: int = PAGE_LIMIT,
    pixel_limit: int = PIXEL_LIMIT,
) -> list[tuple[int, NDArray[np.uint8]]]:
    """Return the pages that are wanted, each with its index."""
    indexes = chosen_pages(file, dpi=dpi, ranges=ranges, page_limit=page_limit, pixel_limit=pixel_limit)
    with closing(OpenPdf(file, dpi)) as document:
        return [(index, document.picture(index)) for index in indexes]


def pdf(*sizes: tuple[float, float]) -> bytes:
    """Return a PDF with an empty page per (width, height) in points."""
    document = pypdfium2.PdfDocument.new()
    for width, height in sizes:
        document.new_page(width, height)
    file = io.BytesIO()
    document.save(file)
    document.close()
    return file.getvalue()


def photographs(*colors: str) -> bytes:
    """Return a PDF with a page of one color for each, 1 inch square."""
    pages = [Image.new("RGB", (72, 72), color) for color in colors]
    file = io.BytesIO()
    pages[0].save(file, "PDF", save_all=True, append_images=pages[1:], resolution=72)
    return file.getvalue()


def encrypted() -> bytes:
    """Return a PDF that asks for a password: a trailer with an Encrypt dictionary that no empty password opens."""
    body = pdf((72, 72))
    entry = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">>>/ID[<00><00>]"
    return body.replace(b"trailer\r\n<<", b"trailer\r\n<<" + entry).replace(b"trailer\n<<", b"trailer\n<<" + entry)


def test_a_page_has_the_size_that_the_resolution_gives_it() -> None:
    ((index, picture),) = pdf_pages(pdf((144, 72)), dpi=100)
    assert (index, picture.shape) == (0, (100, 200, 3))
    assert picture.dtype == np.uint8
    assert picture.min() == 255


def test_pages_come_in_order_and_in_red_green_blue() -> None:
    pages = list(pdf_pages(photographs("#ff0000", "#0000ff"), dpi=36))
    assert [index for index, _ in pages] == [0, 1]
    assert pages[0][1][18, 18].tolist() == pytest.approx([255, 0, 0], abs=4)
    assert pages[1][1][18, 18].tolist() == pytest.approx([0, 0, 255], abs=4)


def test_only_the_pages_asked_for_are_rendered() -> None:
    assert [index for index, _ in pdf_pages(pdf(*[(72, 72)] * 6), ranges="5, 1-2", dpi=36)] == [0, 1, 4]


def test_pages_are_counted() -> None:
    assert page_count(pdf((72, 72), (72, 72))) == 2


@pytest.mark.parametrize("given", [None, "", "  "])
def test_no_ranges_mean_all_pages(given: str | None) -> None:
    assert page_numbers(given, 3) == [0, 1, 2]


@pytest.mark.parametrize("given", ["0", "4", "2-1", "1-", "-1", "1;2", "a", "1,,2", "1-9999999", "²"])
def test_ranges_that_make_no_sense_are_refused(given: str) -> None:
    with pytest.raises(Invalid) as caught:
        page_numbers(given, 3)
    assert caught.value.field == "page_ranges"


@pytest.mark.parametrize("content", [b"", b"hello", b"%PDF-1.7\n", pdf((72, 72))[:60]])
def test_what_is_no_pdf_or_broken_is_malformed(content: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        pdf_pages(content)
    assert caught.value.field == "file"


def test_an_encrypted_pdf_is_refused_as_such() -> None:
    with pytest.raises(Invalid, match="encrypted") as caught:
        pdf_pages(encrypted())
    assert not isinstance(caught.value, Malformed)
    assert caught.value.field == "file"


def test_a_pdf_without_pages_is_refused_as_such() -> None:
    with pytest.raises(Invalid, match="no pages"):
        page_count(pdf())


def test_too_many_pages_are_refused_before_any_is_rendered() -> None:
    with pytest.raises(TooLarge, match="3 pages"):
        pdf_pages(pdf(*[(72, 72)] * 3), page_limit=2)


def test_the_limit_counts_the_pages_asked_for() -> None:
    assert len(list(pdf_pages(pdf(*[(72, 72)] * 3), ranges="2-3", page_limit=2, dpi=36))) == 2


def test_a_huge_page_is_refused_before_any_is_rendered() -> None:
    with pytest.raises(TooLarge, match="page 2 has 1600000000 pixels"):
        pdf_pages(pdf((72, 72), (14400, 14400)))


@pytest.mark.parametrize("dpi", [0, -5, 5000, float("nan")])
def test_a_resolution_that_makes_no_sense_is_refused(dpi: float) -> None:
    with pytest.raises(Invalid) as caught:
        pdf_pages(pdf((72, 72)), dpi=dpi)
    assert caught.value.field == "dpi"


def test_several_threads_may_render_at_once() -> None:
    file, seen = photographs(*["#00ff00"] * 4), []
    threads = [threading.Thread(target=lambda: seen.append(len(list(pdf_pages(file, dpi=36))))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [4] * 4
