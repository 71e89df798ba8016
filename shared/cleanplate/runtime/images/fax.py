"""Fax pages that are broken: libtiff leaves blank what it cannot read of them, and says so to nobody who could hear it.

What group 4 makes of a page is fixed by its pixels, so one that lost its rows takes fewer bytes when it is coded again.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageChops, ImageFile
from PIL.TiffImagePlugin import (
    PHOTOMETRIC_INTERPRETATION,
    ROWSPERSTRIP,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    TiffImageFile,
)

_KEPT = 0.75  # of its bytes, or more, a whole page takes; some writers pad what they write


def refuse_lost_rows(image: ImageFile.ImageFile) -> None:
    """Raise ValueError if a part of a decoded page was lost."""
    if not isinstance(image, TiffImageFile) or image.mode != "1" or image.info.get("compression") != "group4":
        return
    tags = image.tag_v2
    if STRIPOFFSETS not in tags:
        return
    given = sum(tags.get(STRIPBYTECOUNTS, ()))
    white_is_zero = tags.get(PHOTOMETRIC_INTERPRETATION) == 0
    if _coded(image, white_is_zero, min(tags.get(ROWSPERSTRIP, image.height), image.height)) < _KEPT * given:
        raise ValueError("rows are missing")


def _coded(image: Image.Image, white_is_zero: bool, rows: int) -> int:
    """Return how many bytes the pixels take, in strips of so many rows."""
    file = BytesIO()
    stored = ImageChops.invert(image) if white_is_zero else image
    stored.save(file, "TIFF", compression="group4", strip_size=rows * ((image.width + 7) // 8))
    file.seek(0)
    with TiffImageFile(file) as again:
        return sum(again.tag_v2[STRIPBYTECOUNTS])
