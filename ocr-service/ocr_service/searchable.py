"""A searchable PDF: a document's pages as they look, with invisible text over what was read, to be found and copied.

PDFium writes it; see `documents` for its lock. A PDF stays what it is, links and outlines included, and gains text on
the pages that were read and have none of their own. Of a picture each page becomes a page with its JPEG.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray
from PIL import Image

from cleanplate.contract.geometry import Point
from cleanplate.contract.messages import DetectedRegion
from cleanplate.runtime.pdf.documents import PDFIUM
from ocr_service import glyphless

JPEG_QUALITY, JPEG_SIDE = 90, 65_500  # px, the longest that libjpeg writes
_POINTS_PER_INCH = 72
_FINE = 16  # PDFium converts whole pixels only; so many parts of one are close enough


class SearchablePdf:
    """A PDF that is being written. Blocking, and safe to call from any thread."""

    def __init__(self, pdf: bytes | None, texts: Iterable[str], dpi: int):
        """Open the PDF, or begin an empty one; `texts` are all that will be written, `dpi` that of the readings."""
        self._codes = glyphless.codes(texts)
        self._dpi = dpi
        with PDFIUM:
            self._document = pypdfium2.PdfDocument(pdf) if pdf is not None else pypdfium2.PdfDocument.new()
            self._font = _load_font(self._document, self._codes)

    def add_text(self, index: int, size: tuple[int, int], regions: Iterable[DetectedRegion]) -> None:
        """Write what was read over a page that has no text; `size` is (height, width) of the picture that was read."""
        with PDFIUM:
            page = self._document[index]
            if not _has_text(page):
                for region in regions:
                    self._write(page, size, region)
                pdfium.FPDFPage_GenerateContent(page)
            page.close()

    def add_page(self, rgb: NDArray[np.uint8], regions: Iterable[DetectedRegion]) -> None:
        """Append a page that shows (H, W, 3) uint8 RGB, with what was read on it."""
        file, shown = BytesIO(), Image.fromarray(rgb)
        shown.thumbnail((JPEG_SIDE, JPEG_SIDE))  # only what is longer
        shown.save(file, "JPEG", quality=JPEG_QUALITY)
        height, width = (side * _POINTS_PER_INCH / self._dpi for side in rgb.shape[:2])
        with PDFIUM:
            page = self._document.new_page(width, height)
            image = pypdfium2.PdfImage.new(self._document)
            image.load_jpeg(file, inline=True)
            image.set_matrix(pypdfium2.PdfMatrix().scale(width, height))
            page.insert_obj(image)
            page.gen_content()
            page.close()
            index = len(self._document) - 1
        self.add_text(index, (rgb.shape[0], rgb.shape[1]), regions)

    def data(self) -> bytes:
        """Return the file."""
        file = BytesIO()
        with PDFIUM:
            self._document.save(file)
        return file.getvalue()

    def close(self) -> None:
        """Let go of the document."""
        with PDFIUM:
            pdfium.FPDFFont_Close(self._font)
            self._document.close()

    def _write(self, page: Any, size: tuple[int, int], region: DetectedRegion) -> None:
        text = [self._codes[character] for character in region.text if character in self._codes]
        if not text:
            return
        start, end, below = (_on_page(page, size, corner) for corner in _corners(region))
        along, down = (end[0] - start[0], end[1] - start[1]), (below[0] - start[0], below[1] - start[1])
        share = 1 / (len(text) * glyphless.ADVANCE)
        base = start[0] + glyphless.ASCENT * down[0], start[1] + glyphless.ASCENT * down[1]
        matrix = pdfium.FS_MATRIX(along[0] * share, along[1] * share, -down[0], -down[1], *base)
        line = pdfium.FPDFPageObj_CreateTextObj(self._document, self._font, 1.0)
        pdfium.FPDFText_SetCharcodes(line, (ctypes.c_uint32 * len(text))(*text), len(text))
        pdfium.FPDFTextObj_SetTextRenderMode(line, pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)
        pdfium.FPDFPageObj_SetMatrix(line, matrix)
        pdfium.FPDFPage_InsertObject(page, line)


def _load_font(document: Any, known: Mapping[str, int]) -> Any:
    font, glyphs = glyphless.font(), glyphless.to_glyphs(known)
    files = [(ctypes.c_uint8 * len(data)).from_buffer_copy(data) for data in (font, glyphs)]
    unicode = glyphless.to_unicode(known).encode()
    return pdfium.FPDFText_LoadCidType2Font(document, files[0], len(font), unicode, files[1], len(glyphs))


def _has_text(page: Any) -> bool:
    text = page.get_textpage()
    try:
        return bool(text.count_chars())
    finally:
        text.close()


def _corners(region: DetectedRegion) -> tuple[Point, Point, Point]:
    """Return the top left, top right and bottom left, in pixels, of the rectangle around a line that runs its way."""
    turn = math.radians(region.angle)
    along, down = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    points = np.array(region.polygon)
    left, top = (points @ along).min(), (points @ down).min()
    right, bottom = (points @ along).max(), (points @ down).max()
    corners = (left * along + top * down, right * along + top * down, left * along + bottom * down)
    first, second, third = ((float(x), float(y)) for x, y in corners)
    return first, second, third


def _on_page(page: Any, size: tuple[int, int], point: Point) -> Point:
    """Return where a pixel is on the page, in points of the page's own axes, whichever way it is turned and cropped."""
    x, y = ctypes.c_double(), ctypes.c_double()
    height, width = (side * _FINE for side in size)
    at = (round(value * _FINE) for value in point)
    pdfium.FPDF_DeviceToPage(page, 0, 0, width, height, 0, *at, x, y)
    return x.value, y.value
