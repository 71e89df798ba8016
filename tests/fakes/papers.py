"""Documents whose lines of text are blocks of a color of their own, as the fake services read them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import closing
from io import BytesIO
from typing import Any

import numpy as np
import pikepdf
import pypdfium2
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image

from cleanplate.runtime.pdf.documents import OpenPdf, page_count
from tests.fakes.services import LINES, PLACES, SIZE, drawn

DPI = 72


def pdf(*pages: Sequence[str], **page_entries: Any) -> bytes:
    """Return a PDF with a page for each sequence of lines; each line is also text, in the color of its block."""
    made = Pdf.new()
    for lines in pages:
        page = made.add_blank_page(page_size=SIZE)
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        page.obj.Resources = Dictionary(Font=Dictionary(F=made.make_indirect(font)))
        page.obj.Contents = made.make_stream(b"\n".join(_line(name) for name in lines))
        for name, value in page_entries.items():
            page.obj[f"/{name}"] = value
    return saved(made)


def scanned(*pictures: np.ndarray, kinds: Sequence[str], lines: Sequence[str] = ()) -> bytes:
    """Return a PDF with a picture on each page, (H, W, 3) uint8, kept as its kind says: a JPEG, or deflated.

    The lines are drawn on each as in `pdf`.
    """
    made = Pdf.new()
    for picture, kind in zip(pictures, kinds, strict=True):
        height, width = picture.shape[:2]
        file = BytesIO()
        Image.fromarray(picture).save(file, "JPEG")
        data = file.getvalue() if kind == "DCTDecode" else zlib.compress(picture.tobytes())
        stream = made.make_stream(
            data, Type=Name.XObject, Subtype=Name.Image, Width=width, Height=height, BitsPerComponent=8,
            ColorSpace=Name.DeviceRGB, Filter=Name(f"/{kind}"),
        )  # fmt: skip
        page = made.add_blank_page(page_size=(width, height))
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        page.obj.Resources = Dictionary(XObject=Dictionary(I=stream), Font=Dictionary(F=made.make_indirect(font)))
        drawing = [b"q %d 0 0 %d 0 0 cm /I Do Q" % (width, height), *(_line(name) for name in lines)]
        page.obj.Contents = made.make_stream(b"\n".join(drawing))
    return saved(made)


def saved(document: Pdf) -> bytes:
    file = BytesIO()
    document.save(file)
    return file.getvalue()


def tiff(*pages: Sequence[str], **more: Any) -> bytes:
    """Return a TIFF with a page for each sequence of lines."""
    file, frames = BytesIO(), [Image.open(BytesIO(drawn(*lines))) for lines in pages]
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:], **more)
    return file.getvalue()


def text_of(document: bytes) -> list[str]:
    """Return the text of each page, as it can be extracted."""
    opened = pypdfium2.PdfDocument(document)
    try:
        return [page.get_textpage().get_text_bounded() for page in opened]
    finally:
        opened.close()


def everything_in(document: bytes) -> bytes:
    """Return all streams of a PDF, decoded where that can be done, and the rest of its objects."""
    with Pdf.open(BytesIO(document)) as opened:
        parts = []
        for item in opened.objects:
            parts.append(item.unparse(resolved=True) if not isinstance(item, pikepdf.Stream) else b"")
            if isinstance(item, pikepdf.Stream):
                parts.append(item.read_bytes() if item.get("/Subtype") != Name.Image else b"")
        return b"\n".join(parts)


def rendered(document: bytes) -> list[np.ndarray]:
    """Return the pages as (H, W, 3) uint8."""
    with closing(OpenPdf(document, DPI)) as opened:
        return [opened.picture(index) for index in range(page_count(document))]


def frames_of(document: bytes) -> list[np.ndarray]:
    """Return the pages of a TIFF as (H, W, 3) uint8."""
    image, found = Image.open(BytesIO(document)), []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        found.append(np.array(image.convert("RGB")))
    return found


def link(document: Pdf, address: str) -> Any:
    """Return an annotation that leads there."""
    action = Dictionary(S=Name.URI, URI=address)
    return document.make_indirect(
        Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=action, Contents="SALE")
    )


def _line(name: str) -> bytes:
    left, top, right, bottom = PLACES[name].pixels()
    color = " ".join(f"{value / 255:.5f}" for value in LINES[name])
    block = f"{color} rg {left} {SIZE[1] - bottom} {right - left} {bottom - top} re f"
    return f"{block} BT /F 9 Tf {left + 2} {SIZE[1] - bottom + 3} Td ({name}) Tj ET".encode()
