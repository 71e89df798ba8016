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
from cleanplate.runtime.pdf.layers import Doubtful, TextWord, text_lines
from cleanplate.runtime.pdf.ranges import check_count, page_numbers

DPI = 200
DPI_LEAST, DPI_MOST = 18, 1200
PAGE_LIMIT = 500
PIXEL_LIMIT = 50_000_000
_POINTS_PER_INCH = 72
PDFIUM = threading.RLock()
_NO_PAGES = re.compile(rb"/Count\s+0\b")
_HEADER_WITHIN = 1024  # bytes; PDF 1.7, appendix H: readers accept a header that begins so late


def is_pdf(data: bytes) -> bool:
    """Say whether the file is to be read as a PDF."""
    return b"%PDF-" in data[:_HEADER_WITHIN]


def page_count(pdf: bytes) -> int:
    """Return how many pages the document has.

    Raises:
        Malformed: it is not a PDF, or broken.
        Invalid: it is encrypted or has no pages.
    """
    with _opened(pdf) as document:
        return len(document)


def chosen_pages(pdf: bytes, *, dpi: float, ranges: str | None, page_limit: int, pixel_limit: int) -> list[int]:
    """Check the pages of a PDF that are wanted; none is rendered.

    Args:
        pdf: the file.
        dpi: pixels per inch; a page of A4 at 200 has 1654 by 2339.
        ranges: which pages, counted from 1, such as "1-3,5"; all if not given.
        page_limit: how many pages may be asked for.
        pixel_limit: how many pixels each of them may have.

    Returns:
        Their indexes, from 0.

    Raises:
        Malformed: it is not a PDF, or broken.
        Invalid: it is encrypted, has no pages, or the ranges or the resolution are wrong.
        TooLarge: more pages or pixels than allowed.
    """
    if not DPI_LEAST <= dpi <= DPI_MOST:
        raise Invalid(f"must be between {DPI_LEAST} and {DPI_MOST}", field="dpi")
    with _opened(pdf) as document:
        indexes = page_numbers(ranges, len(document))
        check_count(len(indexes), page_limit)
        for index in indexes:
            _check_pixels(document, index, dpi, pixel_limit)
    return indexes


class OpenPdf:
    """A PDF that stays open, to render any of its pages. It was checked before; see `chosen_pages`."""

    def __init__(self, pdf: bytes, dpi: float):
        self._scale = dpi / _POINTS_PER_INCH
        with PDFIUM:
            self._document = pypdfium2.PdfDocument(pdf)
            self._document.init_forms()  # what was filled in is drawn too

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Return a page as (H, W, 3) uint8, RGB, on white. Raises Malformed if it is broken."""
        with PDFIUM:
            try:
                page = self._document[index]
                bitmap = page.render(scale=self._scale, rev_byteorder=True, fill_color=(255, 255, 255, 255))
            except pypdfium2.PdfiumError as error:
                raise Malformed(f"page {index + 1} of the PDF is broken", field="file") from error
            picture: NDArray[np.uint8] = bitmap.to_numpy()[:, :, :3].copy()  # the bitmap's memory goes with it
            bitmap.close()
            page.close()
        return picture

    def text(self, index: int) -> list[list[TextWord]] | None:
        """Return the page's own text, its places in pixels of its picture; None where that cannot be trusted."""
        with PDFIUM:
            page = self._document[index]
            try:
                size = math.ceil(page.get_height() * self._scale), math.ceil(page.get_width() * self._scale)
                return text_lines(page, size)
            except (Doubtful, pypdfium2.PdfiumError):
                return None
            finally:
                page.close()

    def close(self) -> None:
        """Let go of the document."""
        with PDFIUM:
            self._document.close()


def _check_pixels(document: Any, index: int, dpi: float, limit: int) -> None:
    try:
        width, height = document.get_page_size(index)
    except pypdfium2.PdfiumError as error:
        raise Malformed(f"page {index + 1} of the PDF is broken", field="file") from error
    if not (width > 0 and height > 0):
        raise Malformed(f"page {index + 1} of the PDF has no area", field="file")
    pixels = math.ceil(width * dpi / _POINTS_PER_INCH) * math.ceil(height * dpi / _POINTS_PER_INCH)
    if pixels > limit:
        detail = f"page {index + 1} has {pixels} pixels at {dpi:g} dpi; allowed are {limit} (max_pixels)"
        raise TooLarge(detail, field="file", limit=limit, limit_name="max_pixels")


@contextmanager
def _opened(pdf: bytes) -> Iterator[Any]:
    with PDFIUM:
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
