"""What a decoded picture is, and the limits it had to keep. Pure; reading and writing files are elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

OPAQUE = 255
LIGHT = 128
_BAND = 256  # rows at a time, since the products are twice as wide


@dataclass(frozen=True)
class PictureLimits:
    """How large a picture may be; 0 means no limit.

    Attributes:
        max_bytes: of the file.
        max_side: the longer side, in pixels.
        max_pixels: width times height.
        animated: whether of several frames or pages the first is taken, or the file is refused.
    """

    max_bytes: int
    max_side: int
    max_pixels: int
    animated: Literal["first", "refuse"] = "first"


@dataclass(frozen=True, eq=False)
class Picture:
    r"""A picture as displayed, with what its file carried beside the pixels.

    Attributes:
        rgb: (H, W, 3) uint8, RGB, read-only; under full transparency the colors of the file.
        alpha: (H, W) uint8, read-only, 0 transparent; None where every pixel is opaque by its mode.
        format: of the file: PNG, JPEG, WEBP, BMP, GIF, TIFF or AVIF.
        icc: the profile that `rgb` is in, untouched; None means sRGB.
        exif: as in a JPEG, `Exif\0\0` first; orientation 1, without the thumbnail, which would show the old pixels.
        text: the text chunks of a PNG.
        dpi: dots per inch, across and down.
        gray: whether the file's samples were gray.
        frames: frames or pages in the file, counted up to 10,000.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    format: str = "PNG"
    icc: bytes | None = None
    exif: bytes | None = None
    text: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    dpi: tuple[float, float] | None = None
    gray: bool = False
    frames: int = 1

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.rgb.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), as the masks count it."""
        return self.height, self.width

    def over(self, background: int | None = None) -> Pixels:
        """Return the picture without transparency, as an OCR engine or a viewer would see it.

        Args:
            background: its gray level, 0 to 255; None takes black under mostly light pixels and white under others, so
                that white lettering on transparency stays readable.

        Returns:
            (H, W, 3) uint8 RGB; `rgb` itself where nothing is transparent.
        """
        if self.alpha is None:
            return self.rgb
        return composite(self.rgb, self.alpha, self._contrast() if background is None else background)

    def _contrast(self) -> int:
        assert self.alpha is not None
        seen = self.rgb[self.alpha >= LIGHT]
        return 0 if seen.size and float(seen.mean()) >= LIGHT else 255


def composite(rgb: Pixels, alpha: Pixels, background: int) -> Pixels:
    """Lay the picture over a gray level.

    Args:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8, 0 transparent.
        background: 0 to 255.

    Returns:
        (H, W, 3) uint8, rounded; opaque pixels are untouched.
    """
    out = np.empty_like(rgb)
    for top in range(0, len(rgb), _BAND):
        share = alpha[top : top + _BAND, :, None].astype(np.uint16)
        mixed = rgb[top : top + _BAND] * share + np.uint16(background) * (OPAQUE - share)  # at most 255 * 255
        out[top : top + _BAND] = (mixed + OPAQUE // 2) // OPAQUE
    return out
