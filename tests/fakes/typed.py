"""PDFs whose pages have text of their own."""

from __future__ import annotations

from io import BytesIO

import pikepdf

TWO_LINES = b"BT /F 20 Tf 50 200 Td (Hello wide world) Tj 0 -40 Td (second  line) Tj ET"
INVISIBLE = b"BT 3 Tr /F 20 Tf 50 200 Td (Hello) Tj ET"
UNSEEN = b"BT 1 g /F 20 Tf 50 200 Td (Hello) Tj ET"  # white on white
UPWARDS = b"BT /F 20 Tf 0 1 -1 0 100 50 Tm (Hello) Tj ET"


def typed(*pages: bytes, rotate: int = 0, crop: list[int] | None = None, picture_side: int = 0) -> bytes:
    """Return a PDF with a page of 400 by 300 points for each content, in Helvetica, maybe with a gray picture."""
    document = pikepdf.new()
    for content in pages:
        document.add_blank_page(page_size=(400, 300))
        page = document.pages[-1]
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        image = document.make_stream(b"\x80", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=1, Height=1)
        image.ColorSpace, image.BitsPerComponent = pikepdf.Name.DeviceGray, 8
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font), XObject=pikepdf.Dictionary(I=image))
        shown = f" q {picture_side} 0 0 {picture_side} 300 50 cm /I Do Q".encode() if picture_side else b""
        page.Contents = document.make_stream(content + shown)
        page.Rotate = rotate
        if crop:
            page.CropBox = pikepdf.Array(crop)
    file = BytesIO()
    document.save(file)
    return file.getvalue()
