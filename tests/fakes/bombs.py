"""PDFs that are small and take a renderer forever."""

from __future__ import annotations

DEPTH, TIMES = 12, 10


def pdf_with_bomb() -> bytes:
    """Return a PDF of two pages: on the first, forms in forms draw 10**11 squares; the second is blank."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>",
        page + b"/Contents 5 0 R/Resources<</XObject<</F 6 0 R>>>>>>",
        page + b">>",
        _stream(b"/F Do"),
    ]
    for level in range(DEPTH):
        inner = b"/Resources<</XObject<</F %d 0 R>>>>" % (7 + level) if level < DEPTH - 1 else b""
        drawn = b"/F Do " * TIMES if inner else b"0 0 9 9 re f"
        objects.append(_stream(drawn, b"/Type/XObject/Subtype/Form/BBox[0 0 72 72]" + inner))
    return _file(objects)


def _stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


def _file(objects: list[bytes]) -> bytes:
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    tail = b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
    return out + tail % (size, table, size, len(out))
