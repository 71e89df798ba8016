"""One line of text as a picture with transparency: what is drawn, and how (outlines, shadows, glow, gradients, relief).

All layers are premultiplied: (h, w, 4) float32, RGB times alpha and alpha, in 0..1.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.materials import Materials, words

Layer = NDArray[np.float32]
Cover = NDArray[np.float32]
Color = tuple[float, float, float]


@dataclass(frozen=True)
class Letters:
    """The shape of a line before it is painted.

    Attributes:
        shape: (h, w) float32, how much of each pixel the letters cover.
        size_px: the font's size.
        box: (left, top, right, bottom) of what is covered; there is room for outlines and shadows around it.
    """

    shape: Cover
    size_px: int
    box: tuple[int, int, int, int]


def letters(materials: Materials, size_px: int, rng: random.Random) -> Letters:
    """Draw a line of a random script and font.

    Raises:
        OSError: the font cannot draw it.
    """
    script = materials.script(rng)
    path, number = materials.font(script, rng)
    font = ImageFont.truetype(path, size_px, number)
    text = words(script, rng)
    down = script in ("han", "kanji", "hanja", "kana", "hangul") and rng.random() < 0.2
    shape = _coverage("\n".join(text[:12]) if down else text, font, size_px, down)
    left, top, width, height = cv2.boundingRect((shape > 0.3).astype(np.uint8))
    return Letters(shape, size_px, (left, top, left + width, top + height))


def paint(line: Letters, background: Color, materials: Materials, rng: random.Random) -> Layer:
    """Paint letters in a random style.

    Args:
        line: what is painted.
        background: mean color of where it is going to stand, 0..255.
        materials: textures to fill letters with.
        rng: what decides.

    Returns:
        (h, w, 4) float32, premultiplied.
    """
    shape, size_px = line.shape, line.size_px
    fill = _contrasting(background, rng)
    layer = np.zeros((*shape.shape, 4), np.float32)
    style = rng.random()
    if style < 0.16:  # drop shadow, hard or soft
        shift = max(1, round(rng.uniform(0.02, 0.14) * size_px))
        shadow = np.roll(shape, (shift, rng.choice((-shift, 0, shift))), (0, 1))
        soft = rng.choice((0.0, 0.02, 0.06)) * size_px
        layer = _stack(layer, _paint(_blur(shadow, soft), _shade(background, rng), rng.uniform(0.3, 1)))
    elif style < 0.24:  # glow, as of neon
        for reach in (0.18, 0.06):
            glow = _blur(_grown(shape, round(reach * size_px / 2)), reach * size_px)
            layer = _stack(layer, _paint(glow, _near(fill, 60, rng), rng.uniform(0.4, 0.9)))
    elif style < 0.30:  # extruded
        color = _contrasting(fill, rng)
        down, right = rng.choice(((1, 1), (1, -1), (1, 0), (0, 1)))
        for step in range(max(2, round(rng.uniform(0.04, 0.16) * size_px)), 0, -1):
            layer = _stack(layer, _paint(np.roll(shape, (step * down, step * right), (0, 1)), color, 1))
    if rng.random() < 0.28:  # outlines, the outer one first
        widths = sorted(
            (max(1, round(rng.uniform(0.02, 0.12) * size_px)) for _ in range(rng.choice((1, 1, 1, 2)))), reverse=True
        )
        inner = fill
        for width in widths:
            inner = _contrasting(inner, rng)
            layer = _stack(layer, _paint(_grown(shape, width), inner, 1))
    if rng.random() < 0.04:  # hollow
        shape = np.clip(_grown(shape, max(1, size_px // 24)) - shape, 0, 1)
    strength = rng.uniform(0.35, 0.9) if rng.random() < 0.12 else 1.0
    return _stack(layer, _paint(shape, _filling(fill, shape.shape, materials, rng), strength))


def over(below: NDArray[np.float32], layer: Layer) -> NDArray[np.float32]:
    """Lay a layer over an opaque picture, (h, w, 3) float32 in 0..1."""
    return layer[..., :3] + below * (1 - layer[..., 3:])


def _coverage(text: str, font: ImageFont.FreeTypeFont, size_px: int, down: bool) -> Cover:
    """Draw the letters' shape, (h, w) float32, with room around it."""
    room = round(0.6 * size_px) + 4
    spacing = -round(0.1 * size_px) if down else 4
    probe = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = (int(edge) for edge in probe.multiline_textbbox((0, 0), text, font, spacing=spacing))
    if right <= left or bottom <= top or right - left > 3000 or bottom - top > 2000:
        raise OSError("nothing to see")
    image = Image.new("L", (right - left + 2 * room, bottom - top + 2 * room))
    ImageDraw.Draw(image).multiline_text((room - left, room - top), text, 255, font, spacing=spacing, align="center")
    shape = np.asarray(np.asarray(image) / np.float32(255), np.float32)
    if shape.max() < 0.5:
        raise OSError("nothing to see")
    return shape


def _filling(fill: Color, shape: tuple[int, ...], materials: Materials, rng: random.Random) -> NDArray[np.float32]:
    """Return what the letters are filled with, (h, w, 3) in 0..255: a color, mostly."""
    plain = np.broadcast_to(np.array(fill, np.float32), (shape[0], shape[1], 3))
    kind = rng.random()
    if kind < 0.14:
        ramp = np.linspace(0, 1, shape[rng.randrange(2)], dtype=np.float32)
        ramp = ramp[:, None] if len(ramp) == shape[0] else ramp[None, :]
        return plain + (np.array(_near(fill, 90, rng), np.float32) - plain) * ramp[..., None]
    if kind < 0.18:
        grain = cv2.resize(materials.picture("textures", rng), (shape[1], shape[0])).astype(np.float32)
        return np.asarray(plain + (grain - grain.mean(axis=(0, 1))) * 0.5, np.float32)
    return plain


def _paint(coverage: Cover, color: Color | NDArray[np.float32], strength: float) -> Layer:
    alpha = np.clip(coverage * strength, 0, 1)[..., None]
    return np.concatenate((np.clip(np.asarray(color, np.float32) / 255, 0, 1) * alpha, alpha), axis=2)


def _stack(below: Layer, above: Layer) -> Layer:
    return above + below * (1 - above[..., 3:])


def _grown(shape: Cover, by_px: int) -> NDArray[np.float32]:
    side = 2 * max(1, by_px) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(shape, kernel), np.float32)


def _blur(shape: Cover, sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(shape, (0, 0), sigma), np.float32) if sigma > 0.3 else shape


def _luma(color: Color) -> float:
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def _contrasting(other: Color, rng: random.Random) -> Color:
    """Draw a color that can be read on another: often black or white, seldom hard to tell."""
    least = 18 if rng.random() < 0.12 else 55
    while True:
        draw = rng.random()
        if draw < 0.3:
            color = (rng.uniform(225, 255),) * 3
        elif draw < 0.55:
            color = (rng.uniform(0, 45),) * 3
        else:
            color = (rng.uniform(0, 255), rng.uniform(0, 255), rng.uniform(0, 255))
        if abs(_luma(color) - _luma(other)) > least:
            return color
        if max(abs(a - b) for a, b in zip(color, other, strict=True)) > 120 and draw > 0.8:
            return color


def _near(color: Color, by: float, rng: random.Random) -> Color:
    red, green, blue = (min(255.0, max(0.0, level + rng.uniform(-by, by))) for level in color)
    return red, green, blue


def _shade(background: Color, rng: random.Random) -> Color:
    """Return what a shadow is painted with: darker than the background, or lighter where that is dark."""
    level = 255.0 if _luma(background) < 60 else rng.uniform(0, 40)
    return level, level, level
