"""Pictures of text, each another."""

from __future__ import annotations

import random
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from tests.bench.inpaint import photo

WORDS = "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "while", "seven", "wizards", "pack", "boxes"
ONE_MP = 1250, 800
LINES = 10


def picture(number: int, size: tuple[int, int] = ONE_MP) -> bytes:
    """Return a JPEG of lines of text over a bright photograph."""
    chance = random.Random(number)
    width, height = size
    image = Image.blend(photo(width, height, number), Image.new("RGB", size, "white"), 0.6)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(height // 28)
    for line in range(LINES):
        place = chance.randrange(width // 20, width // 4), height * (line + 0.3) // LINES
        draw.text(place, " ".join(chance.choices(WORDS, k=5)), (20, 20, 40), font)
    file = BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()


def bar(number: int, size: tuple[int, int]) -> bytes:
    """Return a JPEG with a dark bar, which is what the services' stand-ins read."""
    image = photo(*size, seed=number).point(lambda value: 128 + value // 2)
    ImageDraw.Draw(image).rectangle((size[0] // 4, size[1] // 3, size[0] // 2, size[1] // 2), 0)
    file = BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()
