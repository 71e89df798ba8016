"""A PDF in which some pages are the pictures that were painted of them. All other pages stay what they are.

Of a painted page nothing is left in the file but its boxes, its turn and its links: not its content, fonts and images,
nor what it has as form fields, comments, thumbnail or tags. What belongs to the whole document stays: title,
bookmarks, attachments. The tags of all pages hang together, so they go.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO

from pikepdf import AccessMode, Array, Dictionary, Name, Object, ObjectStreamMode, Page, Pdf, Stream
from PIL import Image

from cleanplate.runtime.images import PictureLimits, decode, encode, png

_OF_PAGES = frozenset(
    {
        "/Type", "/Parent", "/MediaBox", "/CropBox", "/BleedBox", "/TrimBox", "/ArtBox", "/Rotate", "/UserUnit", "/Dur",
        "/Trans",
    }
)  # fmt: skip
_OF_LINKS = frozenset({"/Type", "/Subtype", "/Rect", "/Border", "/Dest", "/A"})
_OWN = PictureLimits(0, 0, 0)  # a PNG made here may be larger than what came in
_TAIL = 64  # bytes in which a file that was just written says where its table is
_DEEPEST = 100  # levels of a tree of pages
_LETTER = (0.0, 0.0, 612.0, 792.0)


def bind_pdf(source: Path, pictures: Mapping[int, Path], target: Path, scan_quality: int | None = None) -> None:
    """Write the document with the pictures, PNG or JPEG, in place of the pages of these numbers. Blocking.

    With `scan_quality`, 1 to 100, a page whose images were all JPEG becomes one where that is smaller.

    It is written with empty pictures first, which are then filled in an update at the end of the file (PDF 1.7, 7.5.6):
    so there is never more than one picture in memory.
    """
    with Pdf.open(source, access_mode=AccessMode.stream) as pdf:
        _push_down(pdf)
        scans = {pictures[number] for number in pictures if scan_quality and _is_scan(pdf.pages[number - 1].obj)}
        gone = {entry.objgen for number in pictures for entry in _annotations(pdf.pages[number - 1].obj)}
        for number in pictures:
            _replace(pdf, pdf.pages[number - 1])
        _forget(pdf, gone)
        pdf.save(target, encryption=False, object_stream_mode=ObjectStreamMode.disable)
    with Pdf.open(target, access_mode=AccessMode.stream) as pdf:
        places = {pdf.pages[number - 1].obj.Resources.XObject.P.objgen[0]: path for number, path in pictures.items()}
        names = [name for name in ("/Size", "/Root", "/Info", "/ID") if name in pdf.trailer]
        trailer = b" ".join(name.encode() + b" " + _written(pdf.trailer[name]) for name in names)
    with target.open("r+b") as file:
        _update(file, places, trailer, dict.fromkeys(scans, scan_quality))


def _replace(pdf: Pdf, page: Page) -> None:
    matrix = " ".join(f"{value:g}" for value in _placed(page))
    links = [
        Dictionary({name: value for name, value in entry.items() if name in _OF_LINKS})
        for entry in _annotations(page.obj)
        if entry.get("/Subtype") == Name.Link
    ]
    for name in set(page.obj.keys()) - _OF_PAGES:
        del page.obj[name]
    page.obj.Resources = Dictionary(XObject=Dictionary(P=pdf.make_stream(b"")))
    page.obj.Contents = pdf.make_stream(f"q {matrix} cm /P Do Q".encode())
    if links:
        page.obj.Annots = Array(links)


def _placed(page: Page) -> tuple[float, float, float, float, float, float]:
    """Return the matrix by which a picture of the page, as displayed, fills it, whichever way the page is turned."""
    left, bottom, right, top = _shown(page)
    width, height = right - left, top - bottom
    turns = int(_inherited(page.obj, "/Rotate") or 0) // 90 % 4
    return (
        (width, 0, 0, height, left, bottom),
        (0, height, -width, 0, right, bottom),
        (-width, 0, 0, -height, right, top),
        (0, -height, width, 0, left, top),
    )[turns]


def _shown(page: Page) -> tuple[float, float, float, float]:
    """Return the part of the page that is displayed: what its media box and its crop box share."""
    media = _box(_inherited(page.obj, "/MediaBox")) or _LETTER
    crop = _box(_inherited(page.obj, "/CropBox")) or media
    shared = max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3])
    return shared if shared[0] < shared[2] and shared[1] < shared[3] else media


def _box(given: Object | None) -> tuple[float, float, float, float] | None:
    if not isinstance(given, Array) or len(given) != 4:
        return None
    x1, y1, x2, y2 = (float(value) for value in given)
    box = min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
    return box if box[0] < box[2] and box[1] < box[3] else None


def _inherited(page: Object, name: str) -> Object | None:
    node: Object | None = page
    for _ in range(_DEEPEST):
        if node is None or name in node:
            return None if node is None else node.get(name)
        node = node.get("/Parent")
    return None


def _push_down(pdf: Pdf) -> None:
    """Give each page the resources that it inherits, lest those of a painted page stay behind above it."""
    for page in pdf.pages:
        resources = _inherited(page.obj, "/Resources")
        if resources is not None:
            page.obj.Resources = resources
    for page in pdf.pages:
        node = page.obj.get("/Parent")
        for _ in range(_DEEPEST):
            if node is None:
                break
            if "/Resources" in node:
                del node.Resources
            node = node.get("/Parent")


def _annotations(page: Object) -> list[Object]:
    found = page.get("/Annots")
    return [entry for entry in found if isinstance(entry, Dictionary)] if isinstance(found, Array) else []


def _forget(pdf: Pdf, gone: set[tuple[int, int]]) -> None:
    """Remove what the document says of painted pages outside them: tags, and the form fields that were there."""
    for name in ("/StructTreeRoot", "/MarkInfo", "/Perms"):
        if name in pdf.Root:
            del pdf.Root[name]
    form = pdf.Root.get("/AcroForm")
    if isinstance(form, Dictionary):
        for name in ("/XFA", "/CO"):
            if name in form:
                del form[name]
        form.Fields = Array(_left(form.get("/Fields"), gone))


def _left(fields: Object | None, gone: set[tuple[int, int]]) -> list[Object]:
    """Return the fields of a form, or below a field, that are still shown somewhere."""
    left: list[Object] = []
    for field in fields if isinstance(fields, Array) else ():
        if not isinstance(field, Dictionary) or field.objgen in gone:
            continue
        if "/Kids" in field:
            kids = _left(field.Kids, gone)
            if not kids:
                continue
            field.Kids = Array(kids)
        left.append(field)
    return left


def _is_scan(page: Object) -> bool:
    """Say whether the page has images, and all of them are JPEG; what is drawn inside of forms nobody knows."""
    resources = page.get("/Resources")
    drawn = resources.get("/XObject") if isinstance(resources, Dictionary) else None
    entries = list(drawn.values()) if isinstance(drawn, Dictionary) else []
    return bool(entries) and all(_is_jpeg(entry) for entry in entries)


def _is_jpeg(entry: Object) -> bool:
    how = entry.get("/Filter") if isinstance(entry, Stream) and entry.get("/Subtype") == Name.Image else None
    filters = list(how) if isinstance(how, Array) else [how]
    return bool(filters) and filters[-1] == Name.DCTDecode


def _update(file: BinaryIO, pictures: Mapping[int, Path], trailer: bytes, qualities: Mapping[Path, int | None]) -> None:
    """Append pictures to a PDF, each in place of the object of its number; those with a quality as JPEG."""
    file.seek(-_TAIL, SEEK_END)
    before = file.read().rpartition(b"startxref")[2].split()[0]
    table = []
    for number, path in pictures.items():
        head, data = _image(_smaller(path.read_bytes(), qualities.get(path)))
        table.append(b"%d 1\n%010d 00000 n \n" % (number, file.tell()))
        file.write(b"%d 0 obj\n<<%s/Length %d>>stream\n" % (number, head, len(data)))
        file.write(data)
        file.write(b"\nendstream\nendobj\n")
    start = file.tell()
    file.write(b"xref\n%strailer<<%s/Prev %s>>\nstartxref\n%d\n%%%%EOF\n" % (b"".join(table), trailer, before, start))


def _written(value: object) -> bytes:
    return value.unparse() if isinstance(value, Object) else str(value).encode()


def _smaller(data: bytes, quality: int | None) -> bytes:
    """Return the picture, as a JPEG if a quality is given and that is smaller."""
    if quality is None or data[:3] == b"\xff\xd8\xff":
        return data
    picture = decode(data, _OWN)
    return min(data, encode(picture, picture.over(), "jpeg", quality).data, key=len)


def _image(data: bytes) -> tuple[bytes, bytes]:
    """Return the entries and the data of an image stream; a PNG's or JPEG's data goes in as it is."""
    if data[:3] == b"\xff\xd8\xff":
        with Image.open(BytesIO(data)) as jpeg:
            size, colors = jpeg.size, len(jpeg.getbands())
        return _entries(*size, colors) + b"/Filter/DCTDecode", data
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if depth != 8 or color not in (0, 2) or interlaced:
        data = png.write(decode(data, _OWN).over())
        color = 2
    colors = 3 if color == 2 else 1
    how = b"/Filter/FlateDecode/DecodeParms<</Predictor 15/Colors %d/Columns %d>>" % (colors, width)
    return _entries(width, height, colors) + how, b"".join(_chunks(data))


def _entries(width: int, height: int, colors: int) -> bytes:
    space = b"DeviceRGB" if colors == 3 else b"DeviceGray"
    told = b"/Type/XObject/Subtype/Image/BitsPerComponent 8/Width %d/Height %d/ColorSpace/%s"
    return told % (width, height, space)


def _chunks(data: bytes) -> list[bytes]:
    """Return the parts of a PNG's pixel data, which together are one deflated stream."""
    found, at = [], 8
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IDAT":
            found.append(data[at + 8 : at + 8 + length])
        at += 12 + length
    return found
