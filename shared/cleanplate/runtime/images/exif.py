"""Orientation and thumbnail inside raw EXIF, changed in place so that maker notes and all else keep their offsets."""

from __future__ import annotations

import struct
from collections.abc import Iterator

PREFIX = b"Exif\x00\x00"
ORIENTATION, THUMBNAIL_AT, THUMBNAIL_BYTES = 0x0112, 0x0201, 0x0202
_SHORT = 3
_BYTE_ORDERS = {b"II*\x00": "<", b"MM\x00*": ">"}
_ENTRY = 12


def settle(exif: bytes) -> tuple[int, bytes | None]:
    r"""Read the orientation, and make the EXIF fit for pixels that have it applied and are about to change.

    Args:
        exif: with or without the `Exif\0\0` of a JPEG.

    Returns:
        The orientation, 1 to 8, and the EXIF with the prefix, orientation 1 and no thumbnail; (1, None) for what is not
        EXIF.
    """
    tiff = bytearray(exif.removeprefix(PREFIX))
    order = _BYTE_ORDERS.get(bytes(tiff[:4]))
    if order is None or len(tiff) < 8:
        return 1, None
    try:
        return _settle(tiff, order), PREFIX + bytes(tiff)
    except struct.error:
        return 1, None


def _settle(tiff: bytearray, order: str) -> int:
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    orientation = 1
    for at, tag, kind in _entries(tiff, order, start):
        if tag == ORIENTATION and kind == _SHORT:
            (orientation,) = struct.unpack_from(order + "H", tiff, at + 8)
            struct.pack_into(order + "H", tiff, at + 8, 1)
    _drop_thumbnail(tiff, order, start)
    return orientation if 1 <= orientation <= 8 else 1


def _drop_thumbnail(tiff: bytearray, order: str, start: int) -> None:
    """Unlink the second directory and blank the picture it points to."""
    (count,) = struct.unpack_from(order + "H", tiff, start)
    link = start + 2 + count * _ENTRY
    if link + 4 > len(tiff):
        return
    (second,) = struct.unpack_from(order + "I", tiff, link)
    if not second:
        return
    struct.pack_into(order + "I", tiff, link, 0)
    if second + 2 > len(tiff):
        return
    found = {tag: struct.unpack_from(order + "I", tiff, at + 8)[0] for at, tag, _ in _entries(tiff, order, second)}
    first, length = found.get(THUMBNAIL_AT, 0), found.get(THUMBNAIL_BYTES, 0)
    if first and first + length <= len(tiff):
        tiff[first : first + length] = bytes(length)


def _entries(tiff: bytearray, order: str, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield (offset, tag, type) of a directory's entries."""
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for at in range(start + 2, start + 2 + count * _ENTRY, _ENTRY):
        tag, kind = struct.unpack_from(order + "HH", tiff, at)
        if at + _ENTRY > len(tiff):
            return
        yield at, tag, kind
