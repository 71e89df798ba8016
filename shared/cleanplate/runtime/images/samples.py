"""Every pixel mode a file can have → 8-bit RGB, alpha and whether it was gray. Files and limits are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile

from cleanplate.contract.problems import UnsupportedMedia
from cleanplate.runtime.images.pictures import Pixels

# Read with the other byte order, Pillow's unpacker yields the low bytes that it drops otherwise.
_OTHER_BYTES = {
    f"{bands};16{order}": f"{bands};16{other}"
    for bands in ("RGB", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B"))
}
_KEY_GAIN = {"L;2": 85, "L;4": 17}  # Pillow leaves a color key as stored
_GRAY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N"})
_WHITE_IS_ZERO = 0
_PHOTOMETRIC = 262
_TWELVE_BITS = 4095

Reopen = Callable[[], ImageFile.ImageFile]


@dataclass(frozen=True, eq=False)
class Samples:
    """Pixels as stored or, for TIFF, as displayed: rgb (H, W, 3) uint8, alpha (H, W) uint8 or None.

    `converted` says that the colors are sRGB now and the file's profile no longer applies.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    gray: bool = False
    converted: bool = False


def refuse_unreadable(image: ImageFile.ImageFile) -> None:
    """Check the mode before decoding.

    Raises:
        UnsupportedMedia: its samples are 32-bit, floating or signed, with no agreed black and white.
    """
    if image.mode == "F" or (image.mode == "I" and _rawmode(image) != "I;16B"):
        raise UnsupportedMedia("pictures of 32-bit, floating or signed samples are not read here", field="image")


def samples(image: ImageFile.ImageFile, reopen: Reopen) -> Samples:
    """Decode the pixels of an opened file.

    Args:
        image: opened, not yet loaded.
        reopen: opens the same file once more; 16-bit colors need two passes.

    Raises:
        Exception: anything of `formats.DAMAGE`.
    """
    raw = _rawmode(image)
    if raw in _OTHER_BYTES:
        return _deep_color(image, reopen, raw)
    if raw == "LA;16B":
        return _deep_gray_alpha(image)
    if image.mode.startswith("I"):
        return _deep_gray(image, raw)
    if image.mode in _GRAY_MODES:
        return _shallow_gray(image, raw)
    if image.mode in ("CMYK", "LAB"):
        return Samples(_rgb_of(_managed(image)), converted=True)
    return _color(image)


def _color(image: ImageFile.ImageFile) -> Samples:
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple):
        rgb = _rgb_of(image)
        return Samples(rgb, _keyed(np.all(rgb == np.array(key) % 256, axis=2)))
    image.load()
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return Samples(rgba[..., :3], rgba[..., 3])
    return Samples(_rgb_of(image if image.mode == "RGB" else image.convert("RGB")))


def _shallow_gray(image: ImageFile.ImageFile, raw: str) -> Samples:
    key = image.info.get("transparency")
    image.load()
    if image.mode in ("LA", "La"):
        pair = np.asarray(image.convert("LA"))
        return Samples(_repeated(pair[..., 0]), pair[..., 1], gray=True)
    gray = np.asarray(image.convert("L"))
    alpha = _keyed(gray == key * _KEY_GAIN.get(raw, 1) % 256) if isinstance(key, int) else None
    return Samples(_repeated(gray), alpha, gray=True)


def _deep_gray(image: ImageFile.ImageFile, raw: str) -> Samples:
    key, inverted = image.info.get("transparency"), _white_is_zero(image)
    image.load()
    values = np.asarray(image).astype(np.uint16)
    if raw == "I;12":
        values = (values.astype(np.uint32) * 65535 // _TWELVE_BITS).astype(np.uint16)
    if inverted:
        values = 65535 - values
    alpha = _keyed(values == key) if isinstance(key, int) else None
    return Samples(_repeated(_rounded(*_halves(values))), alpha, gray=True)


def _deep_gray_alpha(image: ImageFile.ImageFile) -> Samples:
    """Read the four bytes of a 16-bit gray and alpha pixel as if they were four bands."""
    _set_rawmode(image, "RGBA")
    image.load()
    quad = np.asarray(image)
    return Samples(_repeated(_rounded(quad[..., 0], quad[..., 1])), _rounded(quad[..., 2], quad[..., 3]), gray=True)


def _deep_color(image: ImageFile.ImageFile, reopen: Reopen, raw: str) -> Samples:
    key, second = image.info.get("transparency"), reopen()
    _set_rawmode(second, _OTHER_BYTES[raw])
    image.load()
    second.load()
    high, low = np.asarray(image), np.asarray(second)
    eight = _rounded(high, low)
    if image.mode == "RGBA":
        return Samples(eight[..., :3], eight[..., 3])
    if not isinstance(key, tuple):
        return Samples(eight)
    key_high, key_low = _halves(np.array(key, np.uint16))
    return Samples(eight, _keyed(np.all((high == key_high) & (low == key_low), axis=2)))


def _managed(image: ImageFile.ImageFile) -> Image.Image:
    """Convert CMYK by the embedded profile, or plainly where that is missing or broken; LAB by its definition."""
    image.load()
    icc = image.info.get("icc_profile")
    srgb = ImageCms.createProfile("sRGB")
    try:
        source = ImageCms.createProfile("LAB") if image.mode == "LAB" else ImageCms.ImageCmsProfile(BytesIO(icc or b""))
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        if image.mode == "LAB":
            raise
        converted = None
    return image.convert("RGB") if converted is None else converted


def _rounded(high: NDArray[Any], low: NDArray[Any]) -> Pixels:
    """Return 256 * high + low divided by 257, rounded, without a wider array than 16 bits."""
    apart = low.astype(np.int16) - high
    eight: Pixels = (high + (apart > 128) - (apart < -128)).astype(np.uint8)
    return eight


def _halves(values: NDArray[np.uint16]) -> tuple[Pixels, Pixels]:
    return (values >> 8).astype(np.uint8), (values & 255).astype(np.uint8)


def _keyed(transparent: NDArray[np.bool_]) -> Pixels:
    return np.where(transparent, np.uint8(0), np.uint8(255))


def _repeated(gray: Pixels) -> Pixels:
    return np.repeat(gray[..., None], 3, axis=2)


def _rgb_of(image: Image.Image) -> Pixels:
    return np.asarray(image)


def _white_is_zero(image: ImageFile.ImageFile) -> bool:
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def _rawmode(image: ImageFile.ImageFile) -> str:
    """Return how the file packs its samples, where its first tile says so."""
    if not image.tile:
        return ""
    args = image.tile[0].args
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _set_rawmode(image: ImageFile.ImageFile, raw: str) -> None:
    image.tile = [
        tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw) for tile in image.tile
    ]
