"""Documents as pictures: the pages of a PDF, one after the other. Reading text in them is left to others.

PDFium keeps global state and is not thread-safe, so every call into it holds one lock for the process.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pypdfium2
from numpy.typing import NDArray

from cleanplate.contract.problems import Invalid, Malformed, TooLarge

DPI = 200
DPI_LEAST, DPI_MOST = 18, 1200
PAGE_LIMIT = 500
PIXEL_LIMIT = 50_000_000
_POINTS_PER_INCH = 72
_LOCK = threading.RLock()
_RANGE = re.compile(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", re.ASCII)
_NO_PAGES = re.compile(rb"/Count\s+0\b")


def page_count(pdf: bytes) -> int:
    """Return how many pages the document has.

    Raises:
        Malformed: it is not a PDF, or broken.
        Invalid: it is encrypted or has no pages.
    """
    with _opened(pdf) as document:
        return len(document)


def page_numbers(ranges: str | None, pages: int) -> list[int]:
    """Return the page indexes, from 0, that "1-3,5" means in a document of so many pages; all if nothing is given.

    Raises:
        Invalid: it is not written like that, or a page is outside the document.
    """
    if ranges is None or not ranges.strip():
        return list(range(pages))
    chosen: set[int] = set()
    for part in ranges.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise Invalid("must be written like 1-3,5", field="page_ranges")
        first = int(match[1])
        last = int(match[2] or first)
        if not 1 <= first <= last <= pages:
            raise Invalid(f"pages {part.strip()} are not all between 1 and {pages}", field="page_ranges")
        chosen.update(range(first - 1, last))
    return sorted(chosen)


def pdf_pages(
    pdf: bytes,
    *,
    dpi: float = DPI,
    ranges: str | None = None,
    page_limit: int = PAGE_LIMIT,
    pixel_limit: int = PIXEL_LIMIT,
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Render the pages of a PDF, each when it is asked for.

    Args:
        pdf: the file.
        dpi: pixels per inch; a page of A4 at 200 has 1654 by 2339.
        ranges: which pages, counted from 1, such as "1-3,5"; all if not given.
        page_limit: how many pages may be asked for.
        pixel_limit: how many pixels a page may have; checked for every page before the first is rendered.

    Returns:
        Pairs of the page's index, from 0, and the page as (H, W, 3) uint8, RGB, on white.

    Raises:
        Malformed: it is not a PDF, or broken.
        Invalid: it is encrypted, has no pages, or the ranges or the resolution are wrong.
        TooLarge: more pages or pixels than allowed.
    """
    if not DPI_LEAST <= dpi <= DPI_MOST:
        raise Invalid(f"must be between {DPI_LEAST} and {DPI_MOST}", field="dpi")
    with _opened(pdf) as document:
        indexes = page_numbers(ranges, len(document))
        if len(indexes) > page_limit:
            raise TooLarge(f"{len(indexes)} pages; at most {page_limit} are read at a time", field="file")
        for index in indexes:
            _check_pixels(document, index, dpi, pixel_limit)
    return _render(pdf, indexes, dpi / _POINTS_PER_INCH)


def _render(pdf: bytes, indexes: list[int], scale: float) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Open the document once more: a generator that is never finished would hold the checked one open."""
    with _LOCK:
        document = pypdfium2.PdfDocument(pdf)
        document.init_forms()  # what was filled in is drawn too
    try:
        for index in indexes:
            yield index, _picture(document, index, scale)
    finally:
        with _LOCK:
            document.close()


def _picture(document: Any, index: int, scale: float) -> NDArray[np.uint8]:
    with _LOCK:
        try:
            page = document[index]
            bitmap = page.render(scale=scale, rev_byteorder=True, fill_color=(255, 255, 255, 255))
        except pypdfium2.PdfiumError as error:
            raise Malformed(f"page {index + 1} of the PDF is broken", field="file") from error
        picture: NDArray[np.uint8] = bitmap.to_numpy()[:, :, :3].copy()  # the bitmap's memory goes with it
        bitmap.close()
        page.close()
    return picture


def _check_pixels(document: Any, index: int, dpi: float, limit: int) -> None:
    try:
        width, height = document.get_page_size(index)
    except pypdfium2.PdfiumError as error:
        raise Malformed(f"page {index + 1} of the PDF is broken", field="file") from error
    if not (width > 0 and height > 0):
        raise Malformed(f"page {index + 1} of the PDF has no area", field="file")
    pixels = math.ceil(width * dpi / _POINTS_PER_INCH) * math.ceil(height * dpi / _POINTS_PER_INCH)
    if pixels > limit:
        raise TooLarge(f"page {index + 1} has {pixels} pixels at {dpi:g} dpi; allowed are {limit}", field="file")


@contextmanager
def _opened(pdf: bytes) -> Iterator[Any]:
    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(pdf)
        except pypdfium2.PdfiumError as error:
            raise _why(pdf, error) from error
        try:
            if len(document) == 0:
                raise Invalid("the PDF has no pages", field="file")
            yield document
        finally:
            document.close()


def _why(pdf: bytes, error: Exception) -> Invalid:
    """Tell apart why PDFium opened nothing. Its code alone does not: some failures leave that of an earlier one."""
    password = getattr(error, "err_code", None) == pypdfium2.raw.FPDF_ERR_PASSWORD
    if password and b"/Encrypt" in pdf:
        return Invalid("the PDF is encrypted; send it without a password", field="file")
    if pdf.startswith(b"%PDF-") and _NO_PAGES.search(pdf):
        return Invalid("the PDF has no pages", field="file")
    return Malformed("the file is not a PDF, or it is broken", field="file")
