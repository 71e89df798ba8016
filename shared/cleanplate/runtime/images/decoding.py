"""Bytes → `Picture`: limits from the header first, then pixels as displayed and what the file carried beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import ImageFile

from cleanplate.contract.problems import Invalid, Problem, TooLarge
from cleanplate.runtime.images import exif
from cleanplate.runtime.images.fax import refuse_lost_rows
from cleanplate.runtime.images.formats import DAMAGE, bare, damage_reported, opened, sniff
from cleanplate.runtime.images.pictures import Picture, PictureLimits, Pixels
from cleanplate.runtime.images.samples import Samples, refuse_unreadable, samples

FRAMES_COUNTED = 10_000
PAGES_COUNTED = 1_000  # a TIFF's directories are slow to walk
_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}


class Header(NamedTuple):
    """What a file says of itself before its pixels; width and height as displayed."""

    format: str
    width: int
    height: int
    frames: int


def probe(data: bytes, limits: PictureLimits) -> Header:
    """Check a picture by its header, without decoding it.

    The size is the displayed one, save for a PNG that carries its orientation after its pixels.

    Raises:
        Malformed: not a picture, or a broken one.
        UnsupportedMedia: a kind of picture or of sample that is not read here.
        TooLarge: over `max_bytes`, `max_side` or `max_pixels`.
        Invalid: it has several frames or pages and `animated` is "refuse".
    """
    return _checked(data, limits)[1]


def decode(data: bytes, limits: PictureLimits, *, field: str = "image", frame: int = 0) -> Picture:
    """Decode a picture as displayed: one frame or page, EXIF orientation applied, 8 bits a sample.

    16-bit samples are divided by 257 and rounded. CMYK is converted by its profile, which is dropped then; every other
    profile is kept and the values are left alone. A problem names the request's `field`.

    Raises:
        Malformed: not a picture, or a broken or truncated one.
        UnsupportedMedia: a kind of picture or of sample that is not read here.
        TooLarge: over `max_bytes`, `max_side` or `max_pixels`.
        Invalid: it has several frames or pages and `animated` is "refuse".
    """
    try:
        image, header = _checked(data, limits, frame)
        with damage_reported():
            image, found = _loaded(image, header.format, data, frame)
            refuse_lost_rows(image)
            text = _text(image)
    except Problem as problem:
        problem.field = field
        raise
    orientation, kept_exif = exif.settle(_raw_exif(image))
    return Picture(
        rgb=_turned(found.rgb, orientation),
        alpha=None if found.alpha is None else _turned(found.alpha, orientation),
        format=header.format,
        icc=_profile(image, found),
        exif=kept_exif,
        text=text,
        dpi=_dpi(image.info.get("dpi"), swapped=orientation > 4),
        gray=found.gray,
        frames=header.frames,
    )


def _checked(data: bytes, limits: PictureLimits, frame: int = 0) -> tuple[ImageFile.ImageFile, Header]:
    _within("bytes", len(data), limits.max_bytes, "max_bytes")
    kind = sniff(data)
    with damage_reported():
        image = _opened_at(data, kind, frame)
        width, height = image.size
    _within("pixels on its longer side", max(width, height), limits.max_side, "max_side")
    _within("pixels", width * height, limits.max_pixels, "max_pixels")
    refuse_unreadable(image)
    with damage_reported():
        frames = _frames(image, data)
    if frames > 1 and limits.animated == "refuse":
        raise Invalid(f"has {frames} frames or pages; send one", field="image", frames=frames)
    if exif.settle(_raw_exif(image))[0] > 4:
        width, height = height, width
    return image, Header(kind, width, height, frames)


def _loaded(image: ImageFile.ImageFile, kind: str, data: bytes, frame: int) -> tuple[ImageFile.ImageFile, Samples]:
    """Decode the pixels; a PNG with damaged text or profile behind them is read once more without."""
    try:
        return image, samples(image, lambda: _opened_at(data, kind, frame))
    except DAMAGE:
        if kind != "PNG":
            raise
        plain = bare(data)
        image = opened(plain, kind)
        return image, samples(image, lambda: opened(plain, kind))


def _within(what: str, given: int, limit: int, name: str) -> None:
    if limit and given > limit:
        detail = f"the picture has {given} {what}; the limit is {limit} ({name})"
        raise TooLarge(detail, field="image", limit=limit, limit_name=name)


def _frames(image: ImageFile.ImageFile, data: bytes) -> int:
    """Count the frames or pages without decoding any; the image is left where it is."""
    if image.format == "GIF":
        return _gif_frames(data)
    if image.format != "TIFF":
        return max(1, int(getattr(image, "n_frames", 1)))
    pages, here = 1, image.tell()
    with suppress(*DAMAGE):  # the end, or the link to a page that is not there
        while pages < PAGES_COUNTED:
            image.seek(pages)
            pages += 1
    image.seek(here)
    return pages


def _opened_at(data: bytes, kind: str, frame: int) -> ImageFile.ImageFile:
    image = opened(data, kind)
    if frame:
        image.seek(frame)
    return image


def _gif_frames(data: bytes) -> int:
    """Walk a GIF's blocks."""
    frames, at = 0, 13 + _table_bytes(data[10])
    while at + 10 < len(data) and frames < FRAMES_COUNTED:
        if data[at] == 0x2C:
            frames += 1
            at += 11 + _table_bytes(data[at + 9])
        elif data[at] == 0x21:
            at += 2
        else:
            break
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return max(1, frames)


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _raw_exif(image: ImageFile.ImageFile) -> bytes:
    found = image.info.get("exif", b"")
    return found if isinstance(found, bytes) else b""


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    turned = np.ascontiguousarray(_TURNS[orientation](pixels) if orientation in _TURNS else pixels)
    turned.setflags(write=False)
    return turned


def _profile(image: ImageFile.ImageFile, found: Samples) -> bytes | None:
    icc = image.info.get("icc_profile")
    if found.converted or not isinstance(icc, bytes) or icc[36:40] != b"acsp":
        return None
    return icc


def _text(image: ImageFile.ImageFile) -> Mapping[str, str]:
    """Return a PNG's text chunks, less those in which old tools hid EXIF and profiles."""
    chunks: Any = getattr(image, "text", None) if image.format == "PNG" else None
    kept = {key: str(value) for key, value in (chunks or {}).items() if not key.startswith("Raw profile type")}
    return MappingProxyType(kept)


def _dpi(given: Any, *, swapped: bool) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in given)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not all(math.isfinite(value) and 1 <= value <= 65535 for value in (across, down)):
        return None
    return (down, across) if swapped else (across, down)
