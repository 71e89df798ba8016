"""Pictures with text and the same without: a background, things that stand around text, lines of text, a camera.

Everything that is no text is in both pictures. The difference of the two, before noise and JPEG, is the truth.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.lettering import Layer, Letters, letters, over, paint
from training.materials import Materials

Picture = NDArray[np.uint8]
Real = NDArray[np.float32]
Quad = NDArray[np.float32]

VISIBLE = 9.0
"""Gray levels by which a pixel must differ to be part of the text: less is lost in JPEG."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture with text, and the truth.

    Attributes:
        text: (H, W, 3) uint8 RGB, as a camera would give it.
        clean: (H, W, 3) uint8 RGB, the same without the text, without noise and JPEG.
        ink: (H, W) bool, where the text changes the picture visibly.
        quads: per line its corners, (4, 2) float32 in pixels, clockwise from where its first letter's top is.
    """

    text: Picture
    clean: Picture
    ink: NDArray[np.bool_]
    quads: list[Quad]


def scene(materials: Materials, rng: random.Random, *, photos_only: bool = False, plain_camera: bool = False) -> Scene:
    """Make up a scene.

    Args:
        materials: fonts and pictures.
        rng: what decides.
        photos_only: text over photographs, nothing else.
        plain_camera: no blur, noise and JPEG.
    """
    size = rng.choice(((384, 512), (480, 480), (512, 384), (420, 640)))
    clean = _photo(materials, size, rng) if photos_only else _background(materials, size, rng)
    lines: list[tuple[Layer, Quad, Real]] = []
    taken = np.zeros(size, np.uint8)
    for _ in range(rng.randint(5, 16)):
        placed = _place(materials, clean, taken, rng, plates=not photos_only)
        if placed:
            clean = placed[0]
            lines.append(placed[1:])
    text = clean.copy()
    for layer, _, matrix in lines:
        _lay(text, layer, matrix, rng)
    return _photographed(text, clean, [quad for _, quad, _ in lines], rng, plain=plain_camera)


def _background(materials: Materials, size: tuple[int, int], rng: random.Random) -> Real:
    kind = rng.random()
    if kind < 0.34:
        ground = _photo(materials, size, rng)
    elif kind < 0.46:
        ground = _cut(materials.picture("textures", rng), size, rng)
    elif kind < 0.72:
        ground = _plain(size, rng)
    elif kind < 0.86:
        ground = _ramp(size, rng)
    else:
        ground = _pattern(size, rng)
    if rng.random() < 0.15:
        ground = np.asarray(cv2.GaussianBlur(ground, (0, 0), rng.uniform(2, 9)), np.float32)
    if kind > 0.46 or rng.random() < 0.2:
        for _ in range(rng.choice((0, 0, 1, 2, 4))):
            ground = _sticker(ground, materials.picture("stickers", rng), rng)
        for _ in range(rng.choice((0, 0, 1, 3, 6))):
            ground = _shape(ground, _box(size, rng), rng)
    return ground


def _photo(materials: Materials, size: tuple[int, int], rng: random.Random) -> Real:
    ground = _cut(materials.picture("photos", rng), size, rng)
    change = rng.random()
    if change < 0.15:
        ground = ground * rng.uniform(0.3, 0.8)
    elif change < 0.25:
        ground = 1 - (1 - ground) * rng.uniform(0.3, 0.8)
    elif change < 0.33:
        ground = np.repeat(ground.mean(axis=2, keepdims=True), 3, axis=2)
    return ground


def _cut(picture: Picture, size: tuple[int, int], rng: random.Random) -> Real:
    """Cut a piece out at a random scale, mirrored and with its channels swapped now and then."""
    height, width = picture.shape[:2]
    most = min(height / size[0], width / size[1])
    factor = rng.uniform(min(0.6, most), most)
    tall, wide = int(size[0] * factor), int(size[1] * factor)
    top, left = rng.randint(0, height - tall), rng.randint(0, width - wide)
    way = cv2.INTER_AREA if factor > 1 else cv2.INTER_CUBIC
    piece = cv2.resize(picture[top : top + tall, left : left + wide], size[::-1], interpolation=way)
    piece = piece[:, :: rng.choice((1, -1))]
    if rng.random() < 0.2:
        piece = piece[..., rng.sample(range(3), 3)]
    return np.asarray(piece / np.float32(255), np.float32)


def _color(rng: random.Random) -> Real:
    kind = rng.random()
    if kind < 0.3:
        return np.full(3, rng.uniform(0.88, 1), np.float32) - np.array(
            [0, rng.uniform(0, 0.06), rng.uniform(0, 0.1)], np.float32
        )
    if kind < 0.4:
        return np.full(3, rng.uniform(0, 0.12), np.float32)
    return np.array([rng.random() for _ in range(3)], np.float32)


def _plain(size: tuple[int, int], rng: random.Random) -> Real:
    return np.ones((*size, 1), np.float32) * _color(rng)


def _ramp(size: tuple[int, int], rng: random.Random) -> Real:
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    along = x * math.cos(angle) + y * math.sin(angle)
    if rng.random() < 0.4:
        along = np.hypot(x - rng.uniform(0, size[1]), y - rng.uniform(0, size[0]))
    along = (along - along.min()) / (np.ptp(along) + 1e-6)
    first, last = _color(rng), _color(rng)
    return np.asarray(first + (last - first) * along[..., None], np.float32)


def _pattern(size: tuple[int, int], rng: random.Random) -> Real:
    """Stripes, checks, halftone dots, paper or noise in two colors."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    step = rng.uniform(4, 40)
    kind = rng.randrange(5)
    if kind == 0:
        angle = rng.uniform(0, math.pi)
        mix = ((x * math.cos(angle) + y * math.sin(angle)) % step < step * rng.uniform(0.1, 0.6)).astype(np.float32)
    elif kind == 1:
        mix = ((x // step + y // step) % 2).astype(np.float32)
    elif kind == 2:
        mix = (np.hypot(x % step - step / 2, y % step - step / 2) < step * rng.uniform(0.15, 0.45)).astype(np.float32)
    else:
        grains = np.random.default_rng(rng.getrandbits(32)).random((int(size[0] / step) + 2, int(size[1] / step) + 2))
        mix = cv2.resize(grains.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    first = _color(rng)
    last = _color(rng) if rng.random() < 0.3 else np.clip(first + rng.uniform(-0.25, 0.25), 0, 1)
    return np.asarray(first + (last - first) * np.asarray(mix)[..., None], np.float32)


def _sticker(ground: Real, sticker: Picture, rng: random.Random) -> Real:
    """Put a drawing on it."""
    factor = rng.uniform(0.3, 1.2)
    piece = cv2.resize(sticker, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    height, width = (min(a, b) for a, b in zip(piece.shape[:2], ground.shape[:2], strict=True))
    top, left = rng.randint(0, ground.shape[0] - height), rng.randint(0, ground.shape[1] - width)
    piece = piece[:height, :width].astype(np.float32) / 255
    out = ground.copy()
    spot = out[top : top + height, left : left + width]
    spot[:] = spot * (1 - piece[..., 3:]) + piece[..., :3] * piece[..., 3:]
    return out


def _box(size: tuple[int, int], rng: random.Random) -> tuple[int, int, int, int]:
    wide, tall = rng.randint(30, size[1]), rng.randint(8, size[0] // 2)
    left, top = rng.randint(-20, size[1] - 20), rng.randint(-20, size[0] - 10)
    return left, top, left + wide, top + tall


def _shape(ground: Real, box: tuple[int, int, int, int], rng: random.Random) -> Real:
    """Draw a plate, a bubble, a frame or a rule: what text stands on or beside."""
    left, top, right, bottom = box
    out = ground.copy()
    color = tuple(float(level) for level in _color(rng))
    border = tuple(float(level) for level in _color(rng))
    thick = rng.choice((1, 1, 2, 3, 5))
    kind = rng.random()
    if kind < 0.45:
        cv2.rectangle(out, (left, top), (right, bottom), color, -1, cv2.LINE_AA)
        if rng.random() < 0.5:
            cv2.rectangle(out, (left, top), (right, bottom), border, thick, cv2.LINE_AA)
    elif kind < 0.65:
        center, axes = ((left + right) // 2, (top + bottom) // 2), ((right - left) * 5 // 7, (bottom - top) * 5 // 7)
        cv2.ellipse(out, center, axes, 0, 0, 360, color, -1, cv2.LINE_AA)
        if rng.random() < 0.6:
            cv2.ellipse(out, center, axes, 0, 0, 360, border, thick, cv2.LINE_AA)
    elif kind < 0.78:
        cv2.rectangle(out, (left, top), (right, bottom), border, thick, cv2.LINE_AA)
    elif kind < 0.9:
        for y in {bottom, rng.choice((top, bottom, (top + bottom) // 2))}:
            cv2.line(out, (left, y), (right, y), border, thick, cv2.LINE_AA)
    else:
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) + [
            [rng.randint(-12, 12), rng.randint(-8, 8)] for _ in range(4)
        ]
        cv2.fillConvexPoly(out, corners.astype(np.int32), color, cv2.LINE_AA)
    strength = 1.0 if rng.random() < 0.7 else rng.uniform(0.3, 0.9)
    return ground + (out - ground) * strength


def _place(
    materials: Materials, clean: Real, taken: Picture, rng: random.Random, *, plates: bool
) -> tuple[Real, Layer, Quad, Real] | None:
    """Find room for a line; return the background with its plate, the painted line, its corners and where it goes."""
    size = clean.shape[:2]
    size_px = round(math.exp(rng.uniform(math.log(11), math.log(90))))
    left, top = rng.randint(0, size[1] * 3 // 4), rng.randint(0, size[0] - 12)
    try:
        line = letters(materials, size_px, rng)
    except OSError:
        return None
    matrix = _matrix(line, (left, top), rng)
    quad = _corners(line, matrix)
    if (quad < -4).any() or (quad > np.array(size[::-1]) + 4).any():
        return None
    room = np.asarray(cv2.fillConvexPoly(np.zeros_like(taken), np.rint(quad).astype(np.int32), 1), np.uint8)
    if (room & taken).any():
        return None
    taken |= np.asarray(cv2.dilate(room, np.ones((5, 5), np.uint8)), np.uint8)
    plate = plates and rng.random() < 0.4
    ground = _color(rng) if plate else clean[top : top + size_px, left : left + 4 * size_px].mean(axis=(0, 1))
    mean = float(ground[0]) * 255, float(ground[1]) * 255, float(ground[2]) * 255
    return _plated(clean, quad, mean, rng) if plate else clean, paint(line, mean, materials, rng), quad, matrix


def _plated(clean: Real, quad: Quad, color: tuple[float, float, float], rng: random.Random) -> Real:
    """Put a plate behind a line: tight or wide, sharp or round, with a border or without."""
    out = clean.copy()
    center = quad.mean(axis=0)
    height = np.linalg.norm(quad[3] - quad[0])
    reach = np.array([1.0, 1.0]) + rng.uniform(0.02, 0.7) * height / np.maximum(np.ptp(quad, axis=0), 1)
    corners = np.rint((quad - center) * reach + center).astype(np.int32)
    level = tuple(channel / 255 for channel in color)
    if rng.random() < 0.3:
        axes = tuple(int(side) for side in np.ptp(corners, axis=0) * 0.72)
        cv2.ellipse(out, tuple(int(v) for v in center), axes, 0, 0, 360, level, -1, cv2.LINE_AA)
    else:
        cv2.fillConvexPoly(out, corners, level, cv2.LINE_AA)
    if rng.random() < 0.3:
        border = tuple(float(channel) for channel in _color(rng))
        cv2.polylines(out, [corners], True, border, rng.choice((1, 2, 3)), cv2.LINE_AA)
    if rng.random() < 0.3:
        out = clean + (out - clean) * rng.uniform(0.5, 1)
    return out


def _matrix(line: Letters, at: tuple[int, int], rng: random.Random) -> Real:
    """Return the homography from the line's layer to the picture: mostly upright, at times turned or in perspective."""
    left, top, right, bottom = line.box
    turn = rng.choice((0, 0, 0, 1)) * rng.gauss(0, 14) + (rng.uniform(-90, 90) if rng.random() < 0.04 else 0)
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D((left, top), turn, 1)
    matrix[:2, 2] += np.array(at) - (left, top)
    if rng.random() < 0.25:
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
        by = 0.25 * (bottom - top)
        bent = corners + np.array([[rng.uniform(-by, by), rng.uniform(-by, by)] for _ in range(4)], np.float32)
        matrix = matrix @ cv2.getPerspectiveTransform(corners, bent.astype(np.float32))
    return matrix.astype(np.float32)


def _corners(line: Letters, matrix: Real) -> Quad:
    left, top, right, bottom = line.box
    corners = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]], np.float32)
    return np.asarray(cv2.perspectiveTransform(corners, matrix)[0], np.float32)


def _lay(text: Real, layer: Layer, matrix: Real, rng: random.Random) -> None:
    """Bring a layer to its place, in `text`; one in eight is bent to an arc on the way."""
    if rng.random() < 0.12:
        layer = _bent(layer, rng.uniform(-0.35, 0.35))
    height, width = layer.shape[:2]
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    reached = cv2.perspectiveTransform(corners, matrix)[0]
    left, top = np.clip(np.floor(reached.min(axis=0)), 0, None).astype(int)
    right, bottom = np.minimum(np.ceil(reached.max(axis=0)), text.shape[1::-1]).astype(int)
    if right <= left or bottom <= top:
        return
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float32)
    warped = cv2.warpPerspective(layer, shift @ matrix, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
    spot = text[top:bottom, left:right]
    spot[:] = over(spot, np.asarray(warped, np.float32))


def _bent(layer: Real, by: float) -> Real:
    height, width = layer.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    sag = by * min(height, 0.4 * width) * (1 - np.square(2 * x / width - 1))
    return np.asarray(cv2.remap(layer, x, y + sag.astype(np.float32), cv2.INTER_LINEAR), np.float32)


def _photographed(text: Real, clean: Real, quads: list[Quad], rng: random.Random, *, plain: bool) -> Scene:
    """Blur and light both alike; noise and JPEG are the text's alone, which nobody sees without."""
    if not plain and rng.random() < 0.35:
        sigma = rng.uniform(0.4, 1.3)
        text, clean = (np.asarray(cv2.GaussianBlur(side, (0, 0), sigma), np.float32) for side in (text, clean))
    if not plain and rng.random() < 0.3:
        light = _ramp(clean.shape[:2], rng).mean(axis=2, keepdims=True) * 0.5 + 0.6
        text, clean = text * light, clean * light
    text, clean = (np.clip(side * 255, 0, 255) for side in (text, clean))
    ink = np.abs(text - clean).max(axis=2) > VISIBLE
    if not plain:
        text = _noisy(text, rng)
    return Scene(np.rint(text).astype(np.uint8), np.rint(clean).astype(np.uint8), ink, quads)


def _noisy(text: Real, rng: random.Random) -> Real:
    if rng.random() < 0.35:
        grains = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, 9), text.shape)
        text = np.clip(text + grains, 0, 255).astype(np.float32)
    if rng.random() < 0.65:
        how = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(35, 95)]
        packed = cv2.imencode(".jpg", text.astype(np.uint8), how)[1]
        text = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.float32)
    return text
