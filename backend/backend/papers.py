"""Documents that a job may be about, a PDF or a TIFF of several pages, and their pages as pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from cleanplate.contract.problems import Problem, TooLarge
from cleanplate.runtime.images import PAGES_COUNTED, PictureLimits, decode, encode, png, probe
from cleanplate.runtime.images.formats import damage_reported
from cleanplate.runtime.images.formats import opened as opened_picture
from cleanplate.runtime.pdf.documents import DPI, PAGE_LIMIT, PIXEL_LIMIT, chosen_pages, is_pdf, page_count
from cleanplate.runtime.pdf.ranges import check_count, page_numbers
from cleanplate.runtime.pdf.renderer import PdfRenderer

PAGE_S = 60.0
_TIFF_STARTS = b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"


@dataclass(frozen=True)
class PaperLimits:
    """How large a page may be, how many are erased at a time, and how long one may take to render.

    A PDF is rendered at `dpi` pixels per inch.
    """

    picture: PictureLimits
    pages: int = PAGE_LIMIT
    dpi: int = DPI
    page_s: float = PAGE_S

    @property
    def call_s(self) -> float:
        """How long a call to render may take: `page_s` begins when a renderer's process has started."""
        return 2 * self.page_s


@dataclass(frozen=True)
class Paper:
    """A document: how many pages it has, and which of them, counted from 1, are to be erased."""

    kind: Literal["pdf", "tiff"]
    count: int
    numbers: tuple[int, ...]
    dpi: int

    @classmethod
    def of(cls, told: dict[str, Any]) -> Paper:
        """Return the document that a job's parameters tell of."""
        return cls(**{**told, "numbers": tuple(told["numbers"])})


class Leaves(Protocol):
    """The pages of a document that is open. Blocking, and safe to call from any thread."""

    def picture(self, number: int) -> bytes:
        """Return a page, counted from 1, as displayed, as a PNG.

        Raises:
            Problem: the page is broken or over a limit; others may be fine.
        """

    def close(self) -> None:
        """Let go of the document."""


def read_paper(data: bytes, ranges: str | None, limits: PaperLimits) -> Paper | None:
    """Return the document, None for a picture. Nothing is rendered or decoded. Blocking.

    Args:
        data: the file.
        ranges: which pages are wanted, such as "1-3,5"; all if not given.
        limits: what it must keep.

    Raises:
        Malformed: it is broken.
        UnsupportedMedia: a kind of picture that is not read here.
        Invalid: it is encrypted, has no pages, or the ranges are wrong.
        TooLarge: more bytes, pages or pixels than allowed.
    """
    try:
        if is_pdf(data):
            pixels = limits.picture.max_pixels or PIXEL_LIMIT
            indexes = chosen_pages(data, dpi=limits.dpi, ranges=ranges, page_limit=limits.pages, pixel_limit=pixels)
            return Paper("pdf", page_count(data), tuple(index + 1 for index in indexes), limits.dpi)
        if data[:4] not in _TIFF_STARTS:
            page_numbers(ranges, 1)
            return None
        frames = probe(data, replace(limits.picture, animated="first")).frames
        if frames >= PAGES_COUNTED:  # nobody knows how many there are
            check_count(frames, PAGES_COUNTED - 1)
        indexes = page_numbers(ranges, frames)
        check_count(len(indexes), limits.pages)
    except Problem as problem:
        problem.field = "options.pages" if problem.field == "page_ranges" else "file"
        raise
    if frames == 1:
        return None
    _check_sizes(data, frames, limits.picture)
    return Paper("tiff", frames, tuple(index + 1 for index in indexes), limits.dpi)


def opened(data: bytes, paper: Paper, limits: PaperLimits) -> Leaves:
    """Open a document that was checked by `read_paper`; nothing of it is read yet."""
    if paper.kind == "pdf":
        return _PdfLeaves(data, paper.dpi, limits)
    return _TiffLeaves(data, replace(limits.picture, animated="first"))


def _check_sizes(data: bytes, frames: int, limits: PictureLimits) -> None:
    with damage_reported():
        image = opened_picture(data, "TIFF")
        for index in range(frames):
            image.seek(index)
            pixels = image.width * image.height
            if limits.max_pixels and pixels > limits.max_pixels:
                detail = f"page {index + 1} has {pixels} pixels; allowed are {limits.max_pixels} (max_pixels)"
                raise TooLarge(detail, field="file", limit=limits.max_pixels, limit_name="max_pixels")


class _PdfLeaves:
    def __init__(self, data: bytes, dpi: int, limits: PaperLimits):
        self._dpi = float(dpi)
        self._renderer = PdfRenderer(data, dpi, limits.page_s, limits.picture.max_pixels or PIXEL_LIMIT)

    def picture(self, number: int) -> bytes:
        return png.write(self._renderer.picture(number - 1), dpi=(self._dpi, self._dpi))

    def close(self) -> None:
        self._renderer.close()


class _TiffLeaves:
    def __init__(self, data: bytes, limits: PictureLimits):
        self._data = data
        self._limits = limits

    def picture(self, number: int) -> bytes:
        page = decode(self._data, self._limits, field="file", frame=number - 1)
        return encode(page, page.rgb).data

    def close(self) -> None:
        self._data = b""
