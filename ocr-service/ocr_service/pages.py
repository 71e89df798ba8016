"""Any document as pages: a PDF, or a picture with one or more frames. Which pages are wanted is checked first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.problems import Problem
from cleanplate.runtime.images import PAGES_COUNTED, PictureLimits, decode, probe
from cleanplate.runtime.pdf.documents import chosen_pages, is_pdf
from cleanplate.runtime.pdf.layers import TextWord
from cleanplate.runtime.pdf.ranges import check_count, page_numbers
from cleanplate.runtime.pdf.renderer import PdfRenderer


@dataclass(frozen=True)
class PageLimits:
    """How many pages are read at a time, how large each may be, and how long one may take to render, and to read.

    A PDF is rendered at `dpi` pixels per inch.
    """

    pages: int
    picture: PictureLimits
    dpi: int
    page_s: float

    @property
    def call_s(self) -> float:
        """How long a call to render may take: `page_s` begins when a renderer's process has started."""
        return 2 * self.page_s


class Pages(Protocol):
    """An opened document. Blocking, and safe to call from any thread."""

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Return a page, counted from 0, as displayed: (H, W, 3) uint8, RGB.

        Raises:
            Problem: the page is broken or over a limit; others may be fine.
        """

    def text(self, index: int) -> list[list[TextWord]] | None:
        """Return the page's own text, line by line, where it has any that can be trusted; raises the same."""

    def close(self) -> None:
        """Let go of the document."""


@dataclass(frozen=True)
class Sheet:
    """A page to be read: its picture and, where that is wanted and can be trusted, its own text."""

    picture: NDArray[np.uint8]
    text: list[list[TextWord]] | None = None


class Frames:
    """The pages of a TIFF, the frames of a GIF, or the one of any other picture; each is decoded when asked for."""

    def __init__(self, data: bytes, limits: PictureLimits):
        self._data = data
        self._limits = limits

    def picture(self, index: int) -> NDArray[np.uint8]:
        return decode(self._data, self._limits, field="file", frame=index).over()

    def text(self, index: int) -> None:
        return None

    def close(self) -> None:
        self._data = b""


def choose(data: bytes, ranges: str | None, limits: PageLimits) -> list[int]:
    """Return which pages, counted from 0, the ranges mean. Nothing is rendered or decoded.

    Raises:
        Malformed: neither a PDF nor a picture, or broken.
        UnsupportedMedia: a kind of picture that is not read here.
        Invalid: encrypted, without pages, or the ranges are wrong.
        TooLarge: more bytes, pages or pixels than allowed.
    """
    if is_pdf(data):
        pixels = limits.picture.max_pixels
        return chosen_pages(data, dpi=limits.dpi, ranges=ranges, page_limit=limits.pages, pixel_limit=pixels)
    try:
        frames = probe(data, _all_frames(limits.picture)).frames
    except Problem as problem:
        problem.field = "file"
        raise
    if frames >= PAGES_COUNTED:  # nobody knows how many there are
        check_count(frames, PAGES_COUNTED - 1)
    indexes = page_numbers(ranges, frames)
    check_count(len(indexes), limits.pages)
    return indexes


def open_pages(data: bytes, limits: PageLimits) -> Pages:
    """Open a document that was checked by `choose`; nothing of it is read yet."""
    if is_pdf(data):
        return PdfRenderer(data, limits.dpi, limits.page_s, limits.picture.max_pixels)
    return Frames(data, _all_frames(limits.picture))


def _all_frames(limits: PictureLimits) -> PictureLimits:
    """Let frames be pages: what is done with animated pictures elsewhere does not matter here."""
    return replace(limits, animated="first")
