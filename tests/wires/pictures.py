"""Pictures for the wires: small, made here, and the same every time."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 160, 120
REGIONS = [{"x": 20, "y": 30, "width": 40, "height": 10}, {"x": 90, "y": 70, "width": 30, "height": 12}]


def noise(width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """Return pixels on which no plain fill is right."""
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)


def plate(width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """Return light gray pixels with dark ones where text would be."""
    pixels = np.full((height, width, 3), 220, np.uint8)
    pixels[30:40, 20:60:3] = 20
    return pixels


def encoded(pixels: Pixels, kind: str = "PNG") -> bytes:
    """Return the pixels as a file."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def decoded(data: bytes) -> Pixels:
    """Return the pixels of a file."""
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def text(data: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(data).decode()


def mask(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a mask that erases the first of `REGIONS`."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[30:40, 20:60] = 255
    return encoded(pixels)


PNG = encoded(plate())
JPEG = encoded(plate(), "JPEG")
IMAGE = text(PNG)
MASK = text(mask())


def order(**more: object) -> dict[str, object]:
    """Return a body that erases `REGIONS`."""
    return {"image": IMAGE, "regions": REGIONS, **more}
