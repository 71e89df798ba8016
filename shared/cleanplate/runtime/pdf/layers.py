"""The text that a page of a PDF has of its own, where it can be trusted to be all that the page says.

It cannot where some of it is not seen, as what a scanner's software has read; where letters have no known meaning;
where it does not run across, to the right; and where pictures are on the page, in which more may be written.
"""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Iterator
from typing import Any

import pypdfium2.raw as pdfium

from cleanplate.contract.geometry import Box, bounds

MOST_LETTERS = 50_000
LARGEST_PICTURE = 0.01  # of the page: a logo, not a scan
_DEPTH = 8  # of forms in forms
_FINE = 16  # PDFium converts whole pixels only; so many parts of one are close enough
_ODD = frozenset({"Cn", "Co", "Cs"})  # of Unicode's categories: nobody knows what it means

TextWord = tuple[str, Box]


class Doubtful(Exception):
    """The page's own text may not be all that it says, or something else."""


def text_lines(page: Any, size: tuple[int, int]) -> list[list[TextWord]]:
    """Return the lines of a pypdfium2 page, each its words and where they are in a picture of this (height, width).

    Raises:
        Doubtful: the text cannot be trusted, or there is none.
    """
    _check_objects(page)
    textpage = page.get_textpage()
    try:
        lines = [_words(line) for line in _lines(page, textpage, size)]
    finally:
        textpage.close()
    if not lines:
        raise Doubtful
    return lines


def _check_objects(page: Any) -> None:
    area = page.get_width() * page.get_height()
    for item in page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_IMAGE), max_depth=_DEPTH):
        if item.type == pdfium.FPDF_PAGEOBJ_TEXT:
            if pdfium.FPDFTextObj_GetTextRenderMode(item) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE:
                raise Doubtful
            continue
        left, bottom, right, top = item.get_bounds()
        if item.level or (right - left) * (top - bottom) > LARGEST_PICTURE * area:  # in a form its size is the form's
            raise Doubtful


def _lines(page: Any, textpage: Any, size: tuple[int, int]) -> Iterator[list[TextWord]]:
    """Yield the letters of each line, and where they are; a space has an empty place."""
    count, line = textpage.count_chars(), list[TextWord]()
    if count > MOST_LETTERS:
        raise Doubtful
    for index in range(count):
        letter = chr(pdfium.FPDFText_GetUnicode(textpage, index))
        if letter in "\r\n":
            if any(box.area for _, box in line):
                yield line
            line = []
        elif letter.isspace():
            line.append((" ", Box(0, 0, 0, 0)))
        else:
            if unicodedata.category(letter) in _ODD or pdfium.FPDFText_HasUnicodeMapError(textpage, index) == 1:
                raise Doubtful
            line.append((letter, _place(page, textpage, index, size)))
    if any(box.area for _, box in line):
        yield line


def _words(line: list[TextWord]) -> list[TextWord]:
    words: list[TextWord] = []
    open_ = False
    for letter, box in line:
        if letter == " ":
            open_ = False
        elif open_:
            words[-1] = words[-1][0] + letter, words[-1][1].union(box)
        else:
            words.append((letter, box))
            open_ = True
    first, *_, last = [box for _, box in (line[0], *(letter for letter in line if letter[1].area))]
    if last.x < first.x or abs(last.bottom - first.bottom) > max(first.height, last.height) / 2:
        raise Doubtful
    return words


def _place(page: Any, textpage: Any, index: int, size: tuple[int, int]) -> Box:
    """Return where a letter is in the picture, whichever way the page is turned and cropped."""
    found = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(textpage, index, found)
    height, width = (side * _FINE for side in size)
    x, y, corners = ctypes.c_int(), ctypes.c_int(), []
    for corner in ((found.left, found.top), (found.right, found.bottom)):
        pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, *corner, x, y)
        corners.append((x.value / _FINE, y.value / _FINE))
    return bounds(corners)
