"""A TIFF in which some pages are the pictures that were painted of them. All others keep their pixels, losslessly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageFile
from PIL.TiffImagePlugin import AppendingTiffWriter

from cleanplate.runtime.images.formats import DAMAGE, opened

_ORIENTATION = 274


def bind_tiff(source: Path, count: int, pictures: Mapping[int, Path], target: Path) -> None:
    """Write the document with the pictures in place of the pages of these numbers, page by page. Blocking."""
    document = opened(source.read_bytes(), "TIFF")
    with AppendingTiffWriter(str(target), new=True) as file:
        for number in range(1, count + 1):
            document.seek(number - 1)
            about = _about(document)
            if number in pictures:
                with Image.open(pictures[number]) as painted:
                    page = painted.copy()
            else:
                page = _copied(document)
            compression = "group4" if page.mode == "1" else "tiff_adobe_deflate"
            page.save(file, "TIFF", compression=compression, **about)
            file.newFrame()


def _copied(document: ImageFile.ImageFile) -> Image.Image:
    """Return the page's pixels; a page that cannot even be decoded is left blank."""
    size = document.size
    try:
        return document.copy()
    except DAMAGE:
        return Image.new("1", size, 1)


def _about(document: ImageFile.ImageFile) -> dict[str, Any]:
    """Return what the page says beside its pixels, for the page as displayed."""
    dpi, turned = document.info.get("dpi"), document.getexif().get(_ORIENTATION, 1) > 4
    about = {"dpi": dpi[::-1] if dpi and turned else dpi, "icc_profile": document.info.get("icc_profile")}
    return {name: value for name, value in about.items() if value}
