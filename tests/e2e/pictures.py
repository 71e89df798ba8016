"""Pictures that take their time: noise, so that nothing is flat, with lines of text on it."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = "Erase this line of text"


def busy_regions(width: int, height: int, count: int) -> list[dict[str, Any]]:
    """Return places for lines of text, two columns of them."""
    step = height // (count // 2 + 1)
    return [
        {"x": 60 + (index % 2) * width // 2, "y": 40 + (index // 2) * step, "width": width // 3, "height": step // 2}
        for index in range(count)
    ]


def noisy_text(width: int, height: int, lines: Sequence[dict[str, Any]]) -> Image.Image:
    """Draw a line of text at every place, black and white on coarse gray noise."""
    noise = np.random.default_rng(7).integers(90, 170, (height // 8, width // 8, 3), np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for line in lines:
        font = ImageFont.load_default(size=line["height"] * 0.75)
        draw.text((line["x"], line["y"]), WORDS, "black", font, stroke_width=3, stroke_fill="white")
    return image


def png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
