"""Which kinds of file are read, how one is opened, and the one place where a decoder's errors become problems."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO

from PIL import Image, ImageFile, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageCms import PyCMSError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from cleanplate.contract.problems import Malformed, TooLarge, UnsupportedMedia

# The classes are called directly: `Image.open` warns about large pictures by a global number, our limits come from the
# caller, and of its forty decoders most have no business with strangers' files.
READERS: dict[str, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "TIFF": TiffImageFile,
    "AVIF": AvifImageFile,
}

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"%PDF-", "PDF"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"8BPS", "PSD"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"qoif", "QOI"),
    (b"v/1\x01", "OpenEXR"),
    (b"%!PS", "PostScript"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML"),
    (b"DDS ", "DDS"),
)
# A file of a million tiny pieces would be picked up piece by piece for minutes; honest ones need far fewer reads.
READS_LIMIT = 500_000
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"mif1": "HEIC"}

# What decoders throw at damaged files, found by fuzzing; warnings only where the interpreter makes errors of them.
DAMAGE: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    PyCMSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)
_ANCILLARY = frozenset({b"iCCP", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"pHYs"})


@contextmanager
def damage_reported() -> Iterator[None]:
    """Translate whatever a decoder throws.

    Raises:
        TooLarge: the decoder's own guard against decompression bombs.
        Malformed: the rest of them.
    """
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge("the picture has more pixels than the decoder allows", field="image") from error
    except DAMAGE as error:
        raise Malformed("the picture is broken or cut off and cannot be decoded", field="image") from error


def sniff(data: bytes) -> str:
    """Return the kind of file by its first bytes.

    Raises:
        UnsupportedMedia: a known kind that is not read here.
        Malformed: not a picture.
    """
    head = data[:32].lstrip(b"\xef\xbb\xbf \t\r\n") if data[:1] in b"\xef \t\r\n<" else data[:32]
    kind = next((kind for start, kind in _STARTS if head.startswith(start)), "")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        kind = "WEBP"
    elif head[4:8] == b"ftyp":
        kind = "AVIF" if b"avif" in data[8:64] else _BRANDS.get(head[8:12], "ISO media")
    if not kind:
        raise Malformed("is not a picture", field="image")
    if kind not in READERS or (kind == "AVIF" and not features.check("avif")):
        raise UnsupportedMedia(f"{kind} is not read here; send {', '.join(READERS)}", field="image")
    return kind


def opened(data: bytes, kind: str) -> ImageFile.ImageFile:
    """Open a file up to its pixels; call it inside `damage_reported`.

    A PNG whose profile, EXIF or text is damaged is opened without them.
    """
    if kind == "BMP":  # run lengths are read one by one, and there is nothing to pad it with
        return READERS[kind](BytesIO(data))
    try:
        return READERS[kind](_Metered(data))
    except DAMAGE:
        if kind != "PNG":
            raise
        return READERS[kind](_Metered(bare(data)))


def bare(png: bytes) -> bytes:
    """Return the PNG without the chunks that do not change what is seen; an intact EXIF, which may turn it, stays."""
    kept, at = [png[:8]], 8
    while at + 8 <= len(png):
        length, name = struct.unpack_from(">I4s", png, at)
        piece = png[at : at + 12 + length]
        if name not in _ANCILLARY or (name == b"eXIf" and piece[-4:] == zlib.crc32(piece[4:-4]).to_bytes(4)):
            kept.append(piece)
        at += 12 + length
    return b"".join(kept)


class _Metered(BytesIO):
    """A file that fails after too many reads."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads_left = READS_LIMIT

    def read(self, size: int | None = -1) -> bytes:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise OSError(f"needs more than {READS_LIMIT} reads")
        return super().read(size)
