"""New pixels → a file that keeps the old one's alpha, profile, EXIF, resolution and text, as far as its format can."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import numpy as np
from PIL import Image

from cleanplate.contract.problems import Invalid
from cleanplate.runtime.images import png
from cleanplate.runtime.images.pictures import Picture, Pixels, composite

OutputFormat = Literal["png", "jpeg", "webp", "same"]

JPEG_QUALITY = 95
FULL_CHROMA_FROM = 90  # from this quality on, colored edges matter more than bytes
WEBP_EFFORT = 0  # lossless: 0 to 100
_MARKER_BYTES = 65533
_SIDE_LIMITS = {"jpeg": 65500, "webp": 16383}
_WHITE = 255


@dataclass(frozen=True)
class Encoded:
    """A picture file; `extension` has no dot, `lossless` says whether decoding it gives the same pixels."""

    data: bytes
    media_type: str
    extension: str
    lossless: bool


def encode(picture: Picture, rgb: Pixels, format: OutputFormat = "png", quality: int | None = None) -> Encoded:
    """Write new pixels in the place of a picture's own.

    Args:
        picture: where alpha and all else beside the pixels come from.
        rgb: (H, W, 3) uint8 RGB, of the picture's size, in the picture's color profile.
        format: "same" is the picture's own, or PNG where that is not one of the three.
        quality: 1 to 100, of JPEG (95 when None) and WebP (lossless when None); PNG has none.

    Raises:
        Invalid: the format cannot hold a picture this large.
        ValueError: `rgb` is not of the picture's size.
    """
    if rgb.shape != picture.rgb.shape or rgb.dtype != np.uint8:
        raise ValueError(f"pixels are {rgb.shape} {rgb.dtype}, the picture is {picture.rgb.shape} uint8")
    target = _target(picture, format)
    limit = _SIDE_LIMITS.get(target)
    if limit is not None and max(picture.size) > limit:
        raise Invalid(f"{target} holds at most {limit} pixels a side", field="output_format", limit=limit)
    if target == "jpeg":
        return Encoded(_jpeg(picture, rgb, quality), "image/jpeg", "jpg", lossless=False)
    if target == "webp":
        return Encoded(_webp(picture, rgb, quality), "image/webp", "webp", lossless=quality is None)
    return Encoded(_png(picture, rgb), "image/png", "png", lossless=True)


def _target(picture: Picture, format: OutputFormat) -> str:
    if format != "same":
        return format
    own = picture.format.lower()
    return own if own in ("jpeg", "webp") else "png"


def _png(picture: Picture, rgb: Pixels) -> bytes:
    samples = _samples(picture, rgb, picture.alpha)
    icc = _profile(picture, gray=samples.shape[2] < 3)
    return png.write(samples, icc=icc, exif=picture.exif, dpi=picture.dpi, text=picture.text)


def _jpeg(picture: Picture, rgb: Pixels, quality: int | None) -> bytes:
    flat = rgb if picture.alpha is None else composite(rgb, picture.alpha, _WHITE)
    quality = JPEG_QUALITY if quality is None else quality
    exif = picture.exif if picture.exif is not None and len(picture.exif) <= _MARKER_BYTES else None
    dpi = None if picture.dpi is None else (round(picture.dpi[0]), round(picture.dpi[1]))
    options: dict[str, Any] = {"quality": quality, "exif": exif, "dpi": dpi}
    if quality >= FULL_CHROMA_FROM:
        options["subsampling"] = 0
    return _saved(_image(picture, flat, None), picture, "JPEG", options)


def _webp(picture: Picture, rgb: Pixels, quality: int | None) -> bytes:
    if quality is None:
        options: dict[str, Any] = {"lossless": True, "exact": True, "quality": WEBP_EFFORT, "method": 0}
    else:
        options = {"quality": quality}
    return _saved(_image(picture, rgb, picture.alpha), picture, "WEBP", {**options, "exif": picture.exif})


def _image(picture: Picture, rgb: Pixels, alpha: Pixels | None) -> Image.Image:
    samples = _samples(picture, rgb, alpha)
    return Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)


def _samples(picture: Picture, rgb: Pixels, alpha: Pixels | None) -> Pixels:
    """Return (H, W, C) uint8; those of a gray picture that stayed gray become one channel."""
    color = rgb[..., :1] if picture.gray and _is_gray(rgb) else rgb
    return np.ascontiguousarray(color) if alpha is None else np.dstack([color, alpha])


def _profile(picture: Picture, *, gray: bool) -> bytes | None:
    fits = picture.icc is not None and picture.icc[16:20] == (b"GRAY" if gray else b"RGB ")
    return picture.icc if fits else None


def _is_gray(rgb: Pixels) -> bool:
    return bool(np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 0], rgb[..., 2]))


def _saved(image: Image.Image, picture: Picture, format: str, options: dict[str, Any]) -> bytes:
    options["icc_profile"] = _profile(picture, gray=image.mode in ("L", "LA"))
    out = BytesIO()
    image.save(out, format, **{key: value for key, value in options.items() if value is not None})
    return out.getvalue()
