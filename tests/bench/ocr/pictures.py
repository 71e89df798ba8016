"""What the OCR bench reads: a folder's pictures, and pages drawn with text that is known."""

# ruff: noqa: RUF001 -- the text that is read has the punctuation of its script

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

FOLDER = Path(__file__).resolve().parents[3] / ".." / "shared" / "testset"
ROLES = ("text", "text+mask", "clean|text side by side")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
NOT_TEXT = ("_g.png", "_clean.png", "masks", "labels", "_mask")

FONT_PX = 24
MARGIN_PX = 60
STEP_PX = 52
LINES = 16
LATIN = (
    "The invoice of 14 March 2024 was paid in full by bank transfer.",
    "Please return this form, signed, to office no. 27 before Friday.",
    "Der Zug nach Köln fährt heute von Gleis 9 über Düsseldorf ab.",
    "Größe, Gewicht und Länge stehen auf der Rückseite des Geräts.",
    "Le café est fermé le dimanche, même en été; merci à tous.",
    "Volume 12, Issue 3: temperatures rose by 1.5 degrees (+0.2).",
    "El niño pequeño comió una manzana roja en la habitación.",
    "Quick foxes jump over lazy dogs while wizards pack seven boxes.",
)
CJK = (
    "本产品自购买之日起十二个月内免费保修，请妥善保管发票。",
    "会议将于2024年3月14日上午九点在三楼会议室举行。",
    "注意：使用前请仔细阅读说明书，切勿放入水中清洗。",
    "北京市海淀区中关村大街二十七号，邮政编码100080。",
    "今天天气晴朗，最高气温26度，适合外出散步和运动。",
    "數據顯示，去年的銷售額比前年增長了百分之十五。",
    "この商品は送料無料です。ご注文は電話でお願いします。",
    "東京駅から新幹線で京都まで約二時間かかります。",
)

RGB = NDArray[np.uint8]
Font = Any  # ImageFont.FreeTypeFont, or what Pillow brings


@dataclass(frozen=True)
class Page:
    """A drawn page and its lines, from the top."""

    rgb: RGB
    lines: tuple[str, ...]


def pictures(folder: Path) -> Iterator[tuple[str, RGB]]:
    """Yield (name, (H, W, 3) uint8 RGB) of what shows text; by the manifest if there is one, else by name."""
    manifest = folder / "MANIFEST.tsv"
    if manifest.exists():
        with manifest.open(encoding="utf-8") as file:
            names = [row["file"] for row in csv.DictReader(file, delimiter="\t") if row["role"] in ROLES]
    else:
        found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)
        names = [str(p.relative_to(folder)) for p in found if not any(part in p.name for part in NOT_TEXT)]
    for name in names:
        yield name, opened(folder / name)


def opened(path: Path) -> RGB:
    """Return the picture as displayed; transparent ones over whichever of black and white its ink stands out from."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"), np.float32)
        alpha = rgba[:, :, 3:] / 255
        mean = (rgba[:, :, :3] * alpha).sum() / max(alpha.sum() * 3, 1)
        return (rgba[:, :, :3] * alpha + (1 - alpha) * (255 if mean < 128 else 0)).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


def pages(sentences: tuple[str, ...], fonts: list[Font], size: tuple[int, int] = (1000, 950)) -> Iterator[Page]:
    """Draw a page of the sentences with each font, in another order."""
    for seed, font in enumerate(fonts):
        lines = tuple(random.Random(seed).choices(sentences, k=LINES))
        sheet = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(sheet)
        for number, line in enumerate(lines):
            draw.text((MARGIN_PX, MARGIN_PX + STEP_PX * number), line, "black", font)
        yield Page(np.asarray(sheet), lines)


def bent(text: str, font: Font, radius: float, size: tuple[int, int]) -> RGB:
    """Draw a text letter by letter along a circle, arched; radius and size, (width, height), in pixels."""
    ink, at = Image.new("L", size), -font.getlength(text) / 2
    cell = 3 * font.size
    for letter in text:
        wide = font.getlength(letter)
        angle, at = (at + wide / 2) / radius, at + wide
        glyph = Image.new("L", (cell, cell))
        ImageDraw.Draw(glyph).text((cell / 2, cell / 2), letter, 255, font, anchor="mm")
        turned = glyph.rotate(-math.degrees(angle), Image.Resampling.BICUBIC)
        middle = size[0] / 2 + radius * math.sin(angle), size[1] / 4 + radius * (1 - math.cos(angle))
        ink.paste(255, (round(middle[0] - cell / 2), round(middle[1] - cell / 2)), turned)
    return np.repeat(255 - np.asarray(ink)[:, :, None], 3, axis=2)


def fonts(files: list[Path]) -> list[Font]:
    """Return the fonts at the size of the bench; without files, the one that Pillow brings."""
    return [ImageFont.truetype(file, FONT_PX) for file in files] or [ImageFont.load_default(FONT_PX)]


def png(rgb: RGB) -> bytes:
    file = BytesIO()
    Image.fromarray(rgb).save(file, "PNG", compress_level=1)
    return file.getvalue()
