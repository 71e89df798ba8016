"""Draw the example pictures: a poster, a comic panel and a scanned form.

Each picture is drawn from a fixed seed, with or without its lettering, and the lettering never touches the
random numbers behind the scene. The two drawings of a picture therefore agree wherever no letter was set, so the
drawing without lettering is the exact truth that an erased picture can be scored against.

    python examples/draw.py                  # poster.jpg, comic.png and form.png, beside this file
    python examples/draw.py --clean truth/   # also poster.png, comic.png and form.png without lettering, lossless

Only Pillow and numpy are needed; the one typeface is the one that ships inside Pillow.
"""

from __future__ import annotations

import argparse
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

Array = NDArray[np.floating]
Color = tuple[int, int, int]
Point = tuple[float, float]

SEED = 20240611
FINE = 4  # lettering is set this many times larger, then reduced


# --- Shared: random numbers, noise, blending -------------------------------------------------------------------------


def stream(name: str) -> np.random.Generator:
    """Return the random numbers that belong to one named part of a picture."""
    return np.random.default_rng([SEED, *name.encode()])


def fractal(name: str, size: tuple[int, int], cell: tuple[float, float], octaves: int = 5) -> Array:
    """Return smooth noise in 0..1.

    Args:
        name: The name of the random stream.
        size: Width and height in pixels.
        cell: Width and height of the coarsest blot in pixels.
        octaves: How many times the blots are halved.
    """
    rng = stream(name)
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(octaves):
        columns = max(2, round(size[0] / cell[0] * 2**octave) + 1)
        rows = max(2, round(size[1] / cell[1] * 2**octave) + 1)
        grid = Image.fromarray(rng.random((rows, columns), np.float32))
        total += np.asarray(grid.resize(size, Image.Resampling.BICUBIC), np.float32) / 2**octave
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / (high - low), np.float32)


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Return 0 below `low`, 1 above `high`, and a smooth rise between them."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def blend(base: Array, color: Array | Color, alpha: Array) -> Array:
    """Return `base` with `color` laid over it, `alpha` thick."""
    over = np.asarray(color, np.float32)
    return np.asarray(base + (over - base) * alpha[..., None], np.float32)


def ramp(stops: Sequence[tuple[float, Color]], at: Array) -> Array:
    """Return the colors of a gradient at the given places."""
    places = [stop[0] for stop in stops]
    channels = [np.interp(at, places, [stop[1][channel] for stop in stops]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def to_image(pixels: Array) -> Image.Image:
    """Return an RGB picture of floating-point pixels in 0..255."""
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def to_alpha(mask: Image.Image) -> Array:
    """Return a grey picture as opacity in 0..1."""
    return np.asarray(mask, np.float32) / 255


# --- Shared: lettering -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Label:
    """One line of lettering.

    Attributes:
        words: What it says.
        at: Where its baseline is anchored, in pixels.
        size: The size of the type in pixels.
        color: The color of the letters.
        anchor: `l`, `m` or `r`: which end of the baseline `at` is.
        weight: How much thicker than regular the strokes are, in pixels on each side.
        track: Extra room between letters in pixels.
        shear: How far the letters lean to the right per pixel of height.
        wobble: How far letters stray from their place, as by hand: 0 not at all, 1 visibly.
        angle: Counterclockwise turn in degrees about the anchor.
        outline: Width of the contour in pixels.
        edge: The color of the contour.
        shadow: Offset of the soft shadow in pixels; 0 for none.
    """

    words: str
    at: Point
    size: float
    color: Color = (255, 255, 255)
    anchor: str = "m"
    weight: float = 0.0
    track: float = 0.0
    shear: float = 0.0
    wobble: float = 0.0
    angle: float = 0.0
    outline: float = 0.0
    edge: Color = (0, 0, 0)
    shadow: float = 0.0


@functools.lru_cache(maxsize=64)
def typeface(size: float) -> ImageFont.FreeTypeFont:
    """Return the typeface that ships inside Pillow."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise SystemExit("draw.py: this Pillow was built without FreeType")
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)


def glyph(character: str, size: float, weight: float, turn: float) -> Image.Image:
    """Return one letter, its baseline starting at the center of a square picture."""
    side = int(size * 3.2)
    picture = Image.new("L", (side, side))
    ink = ImageDraw.Draw(picture)
    ink.text((side / 2, side / 2), character, 255, typeface(size), anchor="ls", stroke_width=round(weight))
    return picture.rotate(turn, Image.Resampling.BICUBIC) if turn else picture


def set_line(label: Label) -> tuple[Image.Image, float]:
    """Set a line FINE times too large; return it and its length. It starts at (pad, middle), pad being 2 sizes."""
    rng = stream("hand " + label.words)
    size, x = label.size * FINE, label.size * FINE * 2
    length = typeface(size).getlength(label.words) + label.track * FINE * len(label.words)
    length += label.wobble * size * 0.09 * label.words.count(" ")
    canvas = Image.new("L", (int(length + size * 4), int(size * 4)))
    for index, character in enumerate(label.words):
        lift, turn, swell = rng.normal(0, label.wobble, 3)
        letter = glyph(character, size * (1 + swell * 0.025), label.weight * FINE, turn * 2.2)
        corner = (round(x - letter.width / 2), round(canvas.height / 2 - letter.height / 2 + lift * size * 0.018))
        slot = (*corner, corner[0] + letter.width, corner[1] + letter.height)
        canvas.paste(ImageChops.lighter(canvas.crop(slot), letter), corner)
        following = label.words[index + 1 : index + 2]
        x += typeface(size).getlength(character + following) - typeface(size).getlength(following)
        x += label.track * FINE + (label.wobble * size * 0.09 if character == " " else 0)
    return canvas, length - label.track * FINE


def mask_of(label: Label, size: tuple[int, int]) -> Image.Image:
    """Return where a line of lettering covers a picture of the given size."""
    canvas, length = set_line(label)
    start = label.size * FINE * 2 + length * {"l": 0.0, "m": 0.5, "r": 1.0}[label.anchor]
    middle = canvas.height / 2
    turn = math.radians(label.angle)
    cos, sin = math.cos(turn) * FINE, math.sin(turn) * FINE
    reach = int(math.hypot(*canvas.size) / FINE) + 2
    left, top = int(label.at[0]) - reach, int(label.at[1]) - reach
    dx, dy = left - label.at[0], top - label.at[1]
    # Page to canvas: turn back by the angle, then undo the lean.
    down = (sin, cos, sin * dx + cos * dy + middle)
    across = (cos, -sin, cos * dx - sin * dy + start)
    lean = [a + label.shear * d for a, d in zip(across, down, strict=True)]
    lean[2] -= label.shear * middle
    soft = canvas.filter(ImageFilter.BoxBlur((FINE - 1) / 2))
    placed = soft.transform((reach * 2, reach * 2), Image.Transform.AFFINE, (*lean, *down), Image.Resampling.BILINEAR)
    page = Image.new("L", size)
    page.paste(placed, (left, top))
    return page


def letter(picture: Image.Image, labels: Sequence[Label]) -> None:
    """Set lines of lettering on a picture, each with its shadow and contour."""
    for label in labels:
        wide = mask_of(replace(label, weight=label.weight + label.outline), picture.size)
        if label.shadow:
            cast = ImageChops.offset(wide, round(label.shadow), round(label.shadow))
            cast = cast.filter(ImageFilter.GaussianBlur(label.shadow * 0.8)).point(lambda value: value * 0.75)
            picture.paste((8, 6, 20), mask=cast)
        if label.outline:
            picture.paste(label.edge, mask=wide)
        picture.paste(label.color, mask=mask_of(label, picture.size) if label.outline else wide)


# --- The poster ------------------------------------------------------------------------------------------------------

POSTER = (900, 1200)
SHORE = 770  # the row where the lake begins
SUN = (610.0, 640.0)

DUSK: tuple[tuple[float, Color], ...] = (
    (0.0, (20, 22, 58)),
    (0.25, (48, 38, 96)),
    (0.5, (122, 58, 118)),
    (0.7, (214, 92, 104)),
    (0.86, (248, 150, 98)),
    (1.0, (255, 214, 148)),
)

POSTER_TEXT = (
    Label("OPEN-AIR FILM NIGHTS", (450, 92), 27, (255, 226, 190), track=9, weight=0.3),
    Label("SILVER", (450, 252), 168, (255, 246, 226), weight=4, track=6, outline=3, edge=(52, 24, 66), shadow=9),
    Label("WATER", (450, 404), 168, (255, 246, 226), weight=4, track=14, outline=3, edge=(52, 24, 66), shadow=9),
    Label("Nine evenings of cinema on the lake shore", (450, 466), 31, (255, 236, 214), shear=0.18, shadow=2),
    Label(
        "14 - 22 AUGUST", (450, 728), 66, (255, 214, 92), weight=1.8, track=3, outline=3, edge=(30, 14, 40), shadow=4
    ),
    Label("Gates 19:30   /   First reel at sunset", (450, 862), 33, (255, 255, 255), weight=0.5, shadow=3),
    Label("Old Boathouse Meadow, north bank", (450, 910), 29, (255, 232, 204), weight=0.2, shadow=3),
    Label("Free entry for under-twelves. Bring a blanket and a warm coat.", (450, 1096), 18.5, (226, 214, 226)),
    Label("Rain moves the screening to the barn. Last ferry leaves at 23:45.", (450, 1124), 18.5, (226, 214, 226)),
    Label("Printed on the island in an edition of two hundred", (450, 1160), 13.5, (190, 176, 200), track=1),
)


def grid(size: tuple[int, int]) -> tuple[Array, Array]:
    """Return the column and the row of every pixel."""
    rows, columns = np.mgrid[: size[1], : size[0]].astype(np.float32)
    return columns, rows


def sky() -> Array:
    """Draw a dusk sky with stars, sun and clouds."""
    x, y = grid(POSTER)
    pixels = ramp(DUSK, y / SHORE)
    rng = stream("stars")
    stars = np.zeros((POSTER[1], POSTER[0]), np.float32)
    stars[rng.integers(0, 420, 260), rng.integers(0, POSTER[0], 260)] = rng.random(260) ** 2 * 1.5
    pixels = blend(pixels, (255, 244, 226), np.clip(stars * (1 - y / 460), 0, 1))
    distance = np.hypot(x - SUN[0], (y - SUN[1]) * 1.08)
    pixels += np.exp(-distance / 150)[..., None] * np.array([96, 66, 22], np.float32)
    cloud = fractal("clouds", POSTER, (620, 110), 6) * 0.75 + fractal("wisps", POSTER, (300, 34), 5) * 0.25
    bent = y + (fractal("bend", POSTER, (260, 160), 3) - 0.5) * 120
    cloud = cloud[np.clip(bent, 0, POSTER[1] - 1).astype(np.intp), x.astype(np.intp)]
    lit = smoothstep(0.45, 0.8, cloud)
    glow = ramp(((0, (70, 54, 112)), (0.5, (206, 98, 128)), (0.8, (255, 178, 122)), (1, (255, 226, 170))), y / SHORE)
    pixels = blend(pixels, glow, lit * 0.72)
    shade = smoothstep(0.5, 0.85, np.roll(cloud, -14, axis=0)) * smoothstep(120, 420, y)
    pixels = blend(pixels, (112, 52, 104), shade * 0.45)
    return blend(pixels, (255, 246, 214), 1 - smoothstep(52, 55, distance))


@dataclass(frozen=True)
class Ridge:
    """One range of mountains.

    Attributes:
        name: The name of its random streams.
        peaks: The corners of its skyline, from left to right.
        rough: How far the skyline strays from them in pixels.
        crest: Its color at the skyline.
        foot: Its color in the haze.
        relief: How strongly light and shade show.
        snow: How far down the snow reaches, 0 for none.
    """

    name: str
    peaks: tuple[Point, ...]
    rough: float
    crest: Color
    foot: Color
    relief: float
    snow: float = 0.0


FAR = (
    (0, 610),
    (70, 560),
    (178, 494),
    (262, 590),
    (352, 548),
    (450, 640),
    (560, 712),
    (690, 690),
    (806, 566),
    (900, 630),
)
MIDDLE = (
    (0, 596),
    (96, 668),
    (180, 706),
    (268, 650),
    (360, 716),
    (470, 744),
    (640, 746),
    (738, 690),
    (840, 640),
    (900, 590),
)
NEAR = ((0, 690), (130, 736), (300, 756), (480, 764), (690, 758), (800, 728), (900, 694))
WOOD = ((0, 744), (250, 766), (640, 768), (900, 742))

RIDGES = (
    Ridge("far", FAR, 52, (132, 78, 126), (240, 148, 126), 36, 0.62),
    Ridge("middle", MIDDLE, 46, (84, 48, 100), (176, 86, 110), 40),
    Ridge("near", NEAR, 26, (48, 30, 72), (96, 50, 86), 30),
    Ridge("wood", WOOD, 15, (26, 20, 48), (44, 26, 58), 14),
)


def mountain(pixels: Array, ridge: Ridge) -> Array:
    """Draw one range of mountains, lit from the sun's side."""
    x, y = grid(POSTER)
    peaks = np.array(ridge.peaks, np.float32)
    stray = (fractal(ridge.name, (POSTER[0], 2), (110, 2), 7)[0] - 0.5) * ridge.rough
    depth = y - (np.interp(x[0], peaks[:, 0], peaks[:, 1]) + stray).astype(np.float32)[None, :]
    gully = np.abs(fractal(ridge.name + " gully", POSTER, (80, 210), 6) * 2 - 1)
    rock = fractal(ridge.name + " rock", POSTER, (110, 150), 7) + 0.5 * gully
    light = np.gradient(rock, axis=1) * np.clip((SUN[0] - x) / 50, -1, 1) * 60
    body = ramp(((0, ridge.crest), (1, ridge.foot)), np.clip(depth / 190, 0, 1))
    body += np.clip(light, -1, 1)[..., None] * np.array([1.3, 0.85, 0.7], np.float32) * ridge.relief
    if ridge.snow:
        white = smoothstep(0.0, 0.16, ridge.snow - depth / 150 - rock * 0.45 - (y - 500) / 420 + light * 0.1)
        body = blend(body, (255, 216, 202), white * (0.62 + 0.2 * np.clip(light, -1, 1)))
    return blend(pixels, body, np.clip(depth + 0.5, 0, 1))


def lake(pixels: Array) -> Array:
    """Draw the lake: the scene above it mirrored, rippled and sparkling."""
    x, y = grid(POSTER)
    below = np.clip(y - SHORE, 0, None)
    wave = fractal("waves", POSTER, (150, 9), 4) - 0.5
    swell = fractal("swell", POSTER, (420, 26), 3) - 0.5
    stir = (wave * 26 + swell * 22) * (0.15 + below / 300)
    rows = np.clip(SHORE - 1 - below * 1.25 + stir, 0, SHORE - 1).astype(np.intp)
    columns = np.clip(x + stir * 0.5, 0, POSTER[0] - 1).astype(np.intp)
    mirror = pixels[rows, columns] * np.array([0.84, 0.72, 0.76], np.float32)
    mirror = blend(mirror, (18, 18, 48), smoothstep(40, 430, below) * 0.62)
    mirror += (wave * 46)[..., None] * np.array([1.0, 0.7, 0.7], np.float32) * np.clip(below / 60, 0, 1)[..., None]
    path = np.exp(-(((x - SUN[0]) / (40 + below * 0.28)) ** 2))
    spark = smoothstep(0.56, 0.72, fractal("sparks", POSTER, (70, 7), 3)) * path
    mirror = blend(mirror, (255, 216, 150), np.clip(spark * (1 - below / 520), 0, 1) * 0.9)
    mist = np.exp(-np.abs(y - SHORE) / 9) * 0.5
    return blend(np.where((y < SHORE)[..., None], pixels, mirror), (255, 190, 150), mist)


def pine(ink: ImageDraw.ImageDraw, rng: np.random.Generator, foot: Point, height: float) -> None:
    """Draw the silhouette of one pine, twice too large."""
    x, y = foot[0] * 2, foot[1] * 2
    tall = height * 2
    ink.polygon([(x - tall * 0.014, y), (x, y - tall), (x + tall * 0.014, y)], 255)
    tiers = int(16 + height / 12)
    for tier in range(tiers):
        t = (tier + 0.3) / tiers
        top = y - tall * (1 - t * 0.9)
        for side in (-1, 1):
            reach = side * tall * 0.19 * t**0.85 * rng.uniform(0.6, 1.12)
            drop = tall * rng.uniform(0.045, 0.085)
            ink.polygon([(x, top - tall * 0.03), (x + reach, top + drop), (x + reach * 0.5, top + drop * 0.72)], 255)
            ink.polygon([(x, top), (x + reach * 0.6, top + drop * 0.7), (x, top + drop * 0.9)], 255)


def foreground(pixels: Array) -> Array:
    """Draw the dark near bank, its pines and grasses, and a rowing boat on the lake."""
    rng = stream("pines")
    layer = Image.new("L", (POSTER[0] * 2, POSTER[1] * 2))
    ink = ImageDraw.Draw(layer)
    for foot, height in (((40, 1110), 560), ((128, 1120), 400), ((-14, 1090), 440), ((205, 1130), 230)):
        pine(ink, rng, foot, height)
    for foot, height in (((868, 1120), 500), ((790, 1130), 330), ((915, 1090), 620), ((722, 1138), 190)):
        pine(ink, rng, foot, height)
    edge = fractal("bank", (POSTER[0], 2), (240, 2), 5)[0] * 26
    bank = [1134 - 0.00022 * (column - 450) ** 2 - float(edge[column]) + 12 for column in range(POSTER[0])]
    ink.polygon([(0, 2400), *((column * 2, row * 2) for column, row in enumerate(bank)), (1800, 2400)], 255)
    for column in rng.integers(0, POSTER[0], 700):
        tip = (column * 2 + rng.normal(0, 9), bank[column] * 2 - rng.gamma(4, 6))
        ink.line([(column * 2, bank[column] * 2 + 6), tip], 255, 2)
    return blend(pixels, (9, 8, 24), to_alpha(layer.reduce(2)))


def boat(pixels: Array) -> Array:
    """Draw a rowing boat and its reflection."""
    layer = Image.new("L", (POSTER[0] * 2, POSTER[1] * 2))
    ink = ImageDraw.Draw(layer)
    x, y = 650, 1950
    ink.polygon([(x - 84, y - 20), (x + 92, y - 26), (x + 66, y + 8), (x - 58, y + 8)], 255)
    ink.ellipse((x - 14, y - 84, x + 10, y - 58), 255)
    ink.polygon([(x - 22, y - 12), (x - 14, y - 58), (x + 12, y - 58), (x + 24, y - 12)], 255)
    ink.line([(x + 4, y - 48), (x + 52, y - 30), (x + 128, y + 14)], 255, 5)
    shape = to_alpha(layer.reduce(2))
    mirrored = np.roll(shape[::-1], 2 * (y // 2 + 4) - POSTER[1] + 1, axis=0)
    ripple = (fractal("boat", POSTER, (60, 8), 2)[:, 0] * 8).astype(np.intp)
    mirrored = np.stack([np.roll(row, int(shift) - 4) for row, shift in zip(mirrored, ripple, strict=True)])
    pixels = blend(pixels, (24, 16, 44), mirrored * 0.6)
    return blend(pixels, (16, 12, 32), shape)


def poster(text: bool = True) -> Image.Image:
    """Draw the poster: a lake at dusk.

    Args:
        text: Whether to set the lettering.

    Returns:
        An RGB picture.
    """
    pixels = sky()
    for ridge in RIDGES:
        pixels = mountain(pixels, ridge)
    picture = to_image(foreground(boat(lake(pixels))))
    if text:
        letter(picture, POSTER_TEXT)
    x, y = grid(POSTER)
    corner = np.hypot((x - 450) / 640, (y - 600) / 860)
    grain = stream("grain").normal(0, 6.0, (POSTER[1], POSTER[0])).astype(np.float32)
    film = np.asarray(Image.fromarray(grain), np.float32)
    return to_image(np.asarray(picture, np.float32) * (1.03 - 0.34 * corner**2.4)[..., None] + film[..., None])


# --- The comic panel -------------------------------------------------------------------------------------------------

COMIC = (900, 700)
BLACK: Color = (22, 18, 30)
WHITE: Color = (255, 253, 246)
CREAM: Color = (255, 240, 190)
ORB = (458.0, 452.0)


class Pen:
    """Draws flat shapes with black contours, twice too large."""

    def __init__(self, picture: Image.Image) -> None:
        """Begin to draw on a picture that is twice the size of the coordinates."""
        self.ink = ImageDraw.Draw(picture)

    def oval(self, x: float, y: float, width: float, height: float, fill: Color, line: float = 3.5) -> None:
        """Draw an ellipse about (x, y)."""
        box = [(x - width / 2) * 2, (y - height / 2) * 2, (x + width / 2) * 2, (y + height / 2) * 2]
        self.ink.ellipse(box, fill, BLACK, round(line * 2))

    def box(
        self, x: float, y: float, width: float, height: float, fill: Color, round_by: float = 0, line: float = 3.5
    ) -> None:
        """Draw a rectangle about (x, y) with rounded corners."""
        corners = [(x - width / 2) * 2, (y - height / 2) * 2, (x + width / 2) * 2, (y + height / 2) * 2]
        self.ink.rounded_rectangle(corners, round_by * 2, fill, BLACK, round(line * 2))

    def shape(self, points: Sequence[Point], fill: Color, line: float = 3.5) -> None:
        """Draw a closed shape."""
        corners = [(x * 2, y * 2) for x, y in points]
        self.ink.polygon(corners, fill)
        if line:
            self.path([*points, points[0], points[1]], BLACK, line)

    def path(self, points: Sequence[Point], color: Color = BLACK, line: float = 3.5) -> None:
        """Draw an open line with round ends."""
        corners = [(x * 2, y * 2) for x, y in points]
        self.ink.line(corners, color, round(line * 2), joint="curve")
        for x, y in corners if line > 8 else (corners[0], corners[-1]):
            self.ink.ellipse((x - line, y - line, x + line, y + line), color)


def curve(points: Sequence[Point], steps: int = 24) -> list[Point]:
    """Return a smooth line through the given points."""
    knots = np.array([points[0], *points, points[-1]], np.float64)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        bend = (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        parts.append(0.5 * (2 * b + (c - a) * t + bend))
    return [(float(x), float(y)) for x, y in [*np.concatenate(parts), knots[-1]]]


def halftone(picture: Image.Image, color: Color, tone: Array, pitch: float, turn: float = 45) -> None:
    """Print dots on a picture, the larger the darker the tone (0..1)."""
    x, y = grid(picture.size)
    cos, sin = math.cos(math.radians(turn)) / pitch, math.sin(math.radians(turn)) / pitch
    u, v = x * cos + y * sin, y * cos - x * sin
    distance = np.hypot(u - np.rint(u), v - np.rint(v)) * pitch
    dots = np.clip(np.sqrt(np.clip(tone, 0, 1)) * 0.62 * pitch - distance + 0.5, 0, 1) * (tone > 0.01)
    picture.paste(color, mask=Image.fromarray(np.rint(dots * 255).astype(np.uint8)))


def night() -> Image.Image:
    """Draw the night sky, the moon and their halftone."""
    size = (COMIC[0] * 2, COMIC[1] * 2)
    x, y = grid(size)
    bands = np.floor(y / size[1] * 9) / 9
    sky_colors = ((0, (40, 54, 128)), (0.35, (92, 70, 160)), (0.6, (206, 96, 150)), (0.8, (255, 160, 120)))
    picture = to_image(ramp(sky_colors, bands))
    halftone(picture, (26, 30, 84), 0.62 - y / 1100, 13)
    halftone(picture, (255, 190, 140), (y - 620) / 700, 13)
    pen = Pen(picture)
    pen.oval(452, 296, 330, 330, (255, 236, 168))
    for dx, dy, wide in ((-86, -60, 56), (60, -96, 40), (96, 24, 64), (-40, 66, 46), (-112, 20, 26), (20, -30, 24)):
        pen.oval(452 + dx, 296 + dy, wide, wide * 0.86, (246, 216, 136), 1.5)
    moon = np.hypot(x - 904, y - 592) < 322
    halftone(picture, (240, 190, 110), np.where(moon, (x - 904) / 900 + (y - 592) / 800, 0), 11)
    return picture


def skyline(picture: Image.Image, name: str, row: float, fill: Color, lamp: Color, wide: tuple[int, int]) -> None:
    """Draw one row of houses with lit windows."""
    rng, pen, left = stream(name), Pen(picture), -20.0
    while left < COMIC[0]:
        width, top = float(rng.integers(*wide)), row + float(rng.integers(-70, 60))
        middle = left + width / 2
        if rng.random() < 0.4:
            pen.path([(middle, top), (middle, top - 44)], BLACK, 2.5)
        if rng.random() < 0.35:
            pen.shape([(left + 8, top), (middle, top - 32), (left + width - 8, top)], fill, 2.5)
        pen.box(middle, (top + 720) / 2, width, 720 - top, fill, 0, 2.5)
        for across in np.arange(left + 13, left + width - 12, 17):
            for down in np.arange(top + 16, 600, 24):
                if rng.random() < 0.45:
                    pen.box(float(across) + 4, float(down) + 6, 8, 12, lamp, 0, 0)
        left += width + float(rng.integers(-2, 8))


def rooftop(picture: Image.Image) -> None:
    """Draw the brick parapet that the two stand on."""
    pen, rng = Pen(picture), stream("bricks")
    pen.box(450, 660, 960, 160, (150, 66, 62), 0, 3)
    for course in range(5):
        for brick in range(-1, 16):
            warm = int(rng.integers(-14, 15))
            x = brick * 64 + 32 * (course % 2) + 32
            pen.box(x, 616 + course * 24, 62, 22, (178 + warm, 84 + warm // 2, 72 + warm // 2), 2, 1.2)
    halftone(picture, (92, 34, 52), (grid(picture.size)[1] - 1210) / 500, 9)
    pen.box(450, 590, 960, 26, (226, 186, 150), 0, 3.5)
    pen.path([(0, 597), (900, 597)], (186, 138, 112), 3)


def cat(picture: Image.Image) -> None:
    """Draw the cat, on the left."""
    pen, fur, pale = Pen(picture), (244, 150, 60), (255, 226, 180)
    tail = curve([(150, 572), (92, 560), (66, 508), (92, 464), (76, 436)])
    pen.path(tail, BLACK, 26)
    pen.path(tail, fur, 19)
    pen.path(tail[-16:], pale, 19)
    pen.shape(curve([(150, 578), (146, 500), (186, 424), (236, 420), (276, 480), (286, 578)]), fur)
    pen.shape(curve([(194, 578), (188, 520), (218, 476), (248, 520), (250, 578)]), pale, 0)
    for x in (190, 252):
        pen.oval(x, 572, 56, 26, pale)
    arm = curve([(262, 476), (300, 488), (326, 470)])
    pen.path(arm, BLACK, 27)
    pen.path(arm, fur, 20)
    pen.oval(330, 467, 30, 28, pale)
    for points in (((152, 372), (146, 294), (204, 330)), ((232, 328), (286, 290), (286, 370))):
        pen.shape(points, fur)
        center = np.mean(points, axis=0)
        pen.shape([(float(a), float(b)) for a, b in np.array(points) * 0.5 + center * 0.5], (250, 130, 130), 0)
    pen.oval(218, 380, 158, 124, fur)
    cat_face(pen, pale)


def cat_face(pen: Pen, pale: Color) -> None:
    """Draw the cat's face and scarf."""
    pen.oval(232, 408, 84, 58, pale, 0)
    for x in (192, 254):
        pen.oval(x, 368, 38, 46, WHITE, 3)
        pen.oval(x + 7, 371, 16, 26, BLACK, 0)
        pen.oval(x + 10, 364, 6, 8, WHITE, 0)
    pen.shape([(222, 394), (238, 394), (230, 403)], (236, 96, 110), 2)
    pen.oval(230, 419, 18, 20, (170, 50, 70), 2.5)
    for y in (400, 410):
        pen.path([(188, y), (142, y - 8 + (y - 400) * 1.6)], BLACK, 2)
        pen.path([(270, y), (316, y - 8 + (y - 400) * 1.6)], BLACK, 2)
    for dx in (-18, 0, 18):
        pen.path([(214 + dx, 322 + abs(dx) * 0.2), (215 + dx * 0.8, 340)], (190, 96, 34), 5)
    pen.shape(
        curve([(160, 436), (218, 454), (276, 432), (282, 452), (220, 476), (156, 456), (160, 436)]), (60, 160, 190)
    )
    pen.shape([(172, 460), (196, 466), (188, 516), (160, 508)], (60, 160, 190))


def robot(picture: Image.Image) -> None:
    """Draw the robot, on the right."""
    pen, shell, dark = Pen(picture), (92, 196, 190), (52, 132, 142)
    for x in (640, 706):
        pen.box(x, 552, 32, 56, dark, 4)
        pen.box(x - 4, 574, 54, 20, (236, 92, 84), 8)
    pen.box(672, 478, 132, 124, shell, 18)
    pen.box(672, 484, 84, 70, (238, 240, 226), 8, 3)
    for index, color in enumerate(((236, 92, 84), (250, 196, 70), (96, 190, 110))):
        pen.oval(648 + index * 24, 468, 15, 15, color, 2.5)
    for row in (490, 502):
        pen.path([(642, row), (702, row)], dark, 3)
    for arm in (((612, 450), (568, 478), (520, 470)), ((620, 500), (572, 524), (508, 492))):
        pen.path(curve(arm), BLACK, 21)
        pen.path(curve(arm), dark, 14)
        pen.oval(*arm[-1], 34, 32, (236, 92, 84))
    robot_head(pen, shell, dark)


def robot_head(pen: Pen, shell: Color, dark: Color) -> None:
    """Draw the robot's neck, head and face."""
    pen.box(672, 404, 32, 30, dark, 4)
    pen.path([(672, 306), (672, 268)], BLACK, 5)
    pen.oval(672, 262, 24, 24, (236, 92, 84))
    for x in (588, 756):
        pen.box(x, 352, 22, 48, dark, 6)
    pen.box(672, 350, 156, 98, shell, 26)
    pen.box(668, 350, 122, 66, (30, 44, 70), 20)
    for x in (640, 694):
        pen.oval(x, 346, 30, 36, (150, 250, 220), 0)
        pen.oval(x - 6, 346, 12, 16, (30, 44, 70), 0)
    pen.path(curve([(650, 372), (667, 378), (684, 372)]), (150, 250, 220), 3)


def burst(picture: Image.Image) -> None:
    """Draw the glowing orb and the flash about it."""
    pen, rng = Pen(picture), stream("burst")
    for scale, fill in ((1.0, (255, 120, 70)), (0.74, (255, 206, 64)), (0.48, (255, 250, 214))):
        points = []
        for spike in range(36):
            reach = (rng.uniform(112, 158) if spike % 2 else rng.uniform(70, 84)) * scale
            angle = math.tau * spike / 36
            points.append((ORB[0] + reach * math.cos(angle), ORB[1] + reach * 0.86 * math.sin(angle)))
        pen.shape(points, fill, 3 if scale == 1 else 0)
    x, y = grid(picture.size)
    far = np.hypot(x - ORB[0] * 2, (y - ORB[1] * 2) / 0.86)
    halftone(picture, (255, 206, 64), np.where((far > 120) & (far < 200), (200 - far) / 90, 0), 10)
    pen.oval(*ORB, 78, 78, (120, 230, 255))
    pen.oval(ORB[0] - 12, ORB[1] - 12, 30, 26, WHITE, 0)


def oblong(center: Point, size: Point) -> list[Point]:
    """Return the edge of a shape between an oval and an oblong."""
    turns = np.linspace(0, math.tau, 180, endpoint=False).tolist()
    cosines, sines = [math.cos(turn) for turn in turns], [math.sin(turn) for turn in turns]
    across = [center[0] + size[0] / 2 * math.copysign(abs(cos) ** 0.72, cos) for cos in cosines]
    down = [center[1] + size[1] / 2 * math.copysign(abs(sin) ** 0.72, sin) for sin in sines]
    return list(zip(across, down, strict=True))


def bubble(picture: Image.Image, center: Point, size: Point, tail: tuple[Point, Point, Point]) -> None:
    """Draw one speech bubble.

    Args:
        picture: The picture to draw on, twice too large.
        center: The center of the bubble.
        size: Its width and height.
        tail: Where the tail leaves the bubble, its tip, and where it returns.
    """
    pen = Pen(picture)
    first, tip, second = tail
    there = ((first[0] + tip[0]) / 2 + 5, (first[1] + tip[1]) / 2)
    back = ((second[0] + tip[0]) / 2 + 5, (second[1] + tip[1]) / 2)
    pen.shape(oblong(center, size), WHITE)
    pen.shape([*curve([first, there, tip]), *curve([tip, back, second])], WHITE)
    pen.shape(oblong(center, (size[0] - 3.5, size[1] - 3.5)), WHITE, 0)


SPEECH = (
    (("WAIT... IS IT", "SUPPOSED TO", "GLOW LIKE THAT?"), (172, 90), 27.0),
    (("ONLY ON", "TUESDAYS."), (734, 96), 31.0),
    (("BUT TODAY", "IS MONDAY!"), (106, 240), 23.0),
)
EFFECT = (
    Label("F", (322, 310), 74, angle=20),
    Label("W", (381, 285), 74, angle=16),
    Label("O", (445, 262), 80, angle=12),
    Label("O", (506, 248), 86, angle=9),
    Label("M", (577, 240), 90, angle=6),
    Label("!", (634, 236), 112, angle=-4),
)


def lettering() -> list[Label]:
    """Return the lettering of the comic panel."""
    plain = Label("", (0, 0), 0, BLACK, weight=0.75, shear=0.1, wobble=0.8)
    labels = []
    for lines, (x, y), size in SPEECH:
        for row, words in enumerate(lines):
            base = y + (row - (len(lines) - 1) / 2) * size * 1.14 + size * 0.36
            labels.append(replace(plain, words=words, at=(x, base), size=size))
    labels += [
        replace(part, color=(255, 224, 40), weight=4.5, outline=5.5, edge=(200, 20, 60), shadow=4) for part in EFFECT
    ]
    coming = replace(plain, words="TO BE CONTINUED...", at=(868, 662), size=33, color=CREAM, anchor="r", weight=1.2)
    return [*labels, replace(coming, outline=2.5, edge=BLACK)]


def comic(text: bool = True) -> Image.Image:
    """Draw the comic panel: a cat and a robot on a roof at night.

    Args:
        text: Whether to set the lettering.

    Returns:
        An RGB picture.
    """
    large = night()
    skyline(large, "far houses", 440, (112, 74, 150), (255, 190, 150), (54, 100))
    skyline(large, "near houses", 510, (56, 44, 104), (255, 222, 110), (70, 130))
    rooftop(large)
    burst(large)
    cat(large)
    robot(large)
    bubble(large, (172, 90), (290, 130), ((214, 146), (244, 304), (252, 138)))
    bubble(large, (734, 96), (238, 116), ((712, 144), (692, 234), (748, 144)))
    bubble(large, (106, 240), (174, 92), ((96, 280), (134, 318), (128, 276)))
    picture = large.reduce(2)
    if text:
        letter(picture, lettering())
    page = Image.new("RGB", COMIC, (250, 247, 238))
    page.paste(picture.crop((14, 14, 886, 686)), (14, 14))
    ImageDraw.Draw(page).rectangle((12, 12, 887, 687), outline=BLACK, width=5)
    return page


# --- The form --------------------------------------------------------------------------------------------------------

FORM = (1000, 1300)
TILT = 0.7  # degrees that the sheet lies askew in the scanner
PRINT: Color = (46, 44, 50)
PEN: Color = (34, 58, 150)
RED: Color = (190, 44, 52)
GREEN: Color = (58, 112, 86)
PAPER: Color = (247, 243, 231)
STAMP = (756.0, 968.0)

Box = tuple[float, float, float, float]

FIELDS: tuple[tuple[Box, str, str], ...] = (
    ((80, 226, 500, 62), "Name of household", "Tinderby & Wexcombe"),
    ((580, 226, 340, 62), "Application no.", "OL-2207"),
    ((80, 288, 500, 62), "Street and house", "17 Quince Lane, upper floor"),
    ((580, 288, 340, 62), "Telephone", "555 0142"),
    ((80, 350, 290, 62), "Plot wanted", "East row, plot 31"),
    ((370, 350, 210, 62), "Area (sq m)", "145"),
    ((580, 350, 340, 62), "From", "1 April, for two years"),
)
CHOICES = ((100, "Water tap", True), (288, "Tool shed", True), (472, "Greenhouse", False), (672, "Compost bay", True))
COLUMNS = (80, 150, 520, 640, 780, 920)
ROWS = tuple(range(520, 521 + 44 * 8, 44))
HEADS = ("No.", "Item", "Quantity", "Unit price", "Amount")
ITEMS = (
    ("1", "Ground rent, east row", "145", "0.80", "116.00"),
    ("2", "Water, flat yearly fee", "1", "24.50", "24.50"),
    ("3", "Key to the tool shed", "2", "6.00", "12.00"),
    ("4", "Apple saplings, two-year", "3", "18.20", "54.60"),
    ("5", "Compost, per barrow", "10", "1.75", "17.50"),
    ("6", "Share of the seed swap", "1", "5.00", "5.00"),
)
NOTES = (
    "The undersigned keeps the plot tidy, closes the gate after dark, and",
    "shares the well with both neighbours. Hedges stay below 1.2 metres.",
    "Notice is given in writing before the first day of October.",
)


def shade_layer() -> Image.Image:
    """Return the pale tints that are printed under the form: bands, and fine waves behind the notes."""
    layer = Image.new("L", (FORM[0] * 2, FORM[1] * 2))
    ink = ImageDraw.Draw(layer)
    ink.rectangle((160, 120, 1840, 280), 255)
    ink.rectangle((160, 1040, 1840, 1126), 70)
    for row in range(2, 8, 2):
        ink.rectangle((160, ROWS[row] * 2, 1840, ROWS[row + 1] * 2), 24)
    ink.rectangle((1560, ROWS[7] * 2, 1840, ROWS[8] * 2), 70)
    for wave in range(22):
        points = [
            (x, 1832 + wave * 14 + 16 * math.sin(x / 66 + wave * 0.55) * math.cos(x / 270)) for x in range(164, 1122, 6)
        ]
        ink.line(points, 120, 2)
    return layer


def rule_layer() -> Image.Image:
    """Return the printed lines of the form."""
    layer = Image.new("L", (FORM[0] * 2, FORM[1] * 2))
    ink = ImageDraw.Draw(layer)
    for (x, y, width, height), _, _ in FIELDS:
        ink.rectangle((x * 2, y * 2, (x + width) * 2, (y + height) * 2), outline=255, width=3)
    for row in ROWS[:-1]:
        ink.line((160, row * 2, 1840, row * 2), 255, 5 if row == ROWS[0] else 3)
    ink.line((1280, ROWS[-1] * 2, 1840, ROWS[-1] * 2), 255, 5)
    for column in COLUMNS:
        last = ROWS[-1] if column in (640, 780, 920) else ROWS[-2]
        ink.line((column * 2, ROWS[0] * 2, column * 2, last * 2), 255, 3)
    for x, _, _ in CHOICES:
        ink.rectangle((x * 2, 452 * 2, x * 2 + 44, 474 * 2), outline=255, width=4)
    ink.rectangle((160, 1812, 1126, 2170), outline=255, width=3)
    for left, right in ((80, 330), (380, 590)):
        ink.line((left * 2, 2312, right * 2, 2312), 255, 3)
    for dot in range(160, 1840, 14):
        ink.line((dot, 2450, dot + 6, 2450), 255, 2)
    return layer


def tick_layer() -> Image.Image:
    """Return the ticks made with a pen."""
    layer = Image.new("L", (FORM[0] * 2, FORM[1] * 2))
    ink = ImageDraw.Draw(layer)
    for x, _, chosen in CHOICES:
        if chosen:
            stroke = curve([(x * 2 + 4, 924), (x * 2 + 18, 946), (x * 2 + 34, 908), (x * 2 + 58, 882)])
            ink.line(stroke, 255, 7, joint="curve")
    return layer


def stamp_layer() -> Image.Image:
    """Return the rings and bars of the rubber stamp."""
    layer = Image.new("L", (FORM[0] * 2, FORM[1] * 2))
    ink = ImageDraw.Draw(layer)
    x, y = STAMP[0] * 2, STAMP[1] * 2
    for radius, width in ((244, 10), (228, 4), (154, 5)):
        ink.ellipse((x - radius, y - radius, x + radius, y + radius), outline=255, width=width)
    turn = math.radians(14)
    for offset in (-44, 44):
        middle = (x + offset * math.sin(turn), y + offset * math.cos(turn))
        reach = (143 * math.cos(turn), -143 * math.sin(turn))
        ink.line((middle[0] - reach[0], middle[1] - reach[1], middle[0] + reach[0], middle[1] + reach[1]), 255, 5)
    return layer


def printed() -> list[Label]:
    """Return what is printed in black."""
    labels = [Label(name, (x + 8, y + 18), 14, anchor="l") for (x, y, _, _), name, _ in FIELDS]
    labels += [Label("Also wanted (please tick)", (80, 435), 16, anchor="l", weight=0.3)]
    labels += [Label(name, (x + 34, 470), 19, anchor="l") for x, name, _ in CHOICES]
    for left, right, name in zip(COLUMNS, COLUMNS[1:], HEADS, strict=False):
        labels.append(Label(name, ((left + right) / 2, ROWS[0] + 29), 18, weight=0.5))
    labels.append(Label("Total due", (710, ROWS[7] + 29), 19, weight=0.5))
    labels.append(Label("Conditions", (94, 932), 17, anchor="l", weight=0.5))
    labels += [Label(line, (94, 966 + 27 * row), 14.5, anchor="l") for row, line in enumerate(NOTES)]
    labels.append(Label("Office use: entered in the plot book on page", (94, 1062), 14.5, anchor="l", shear=0.18))
    labels.append(Label("Place and date", (80, 1176), 14, anchor="l"))
    labels.append(Label("Checked by", (380, 1176), 14, anchor="l"))
    labels.append(Label("Keep the lower slip until the keys are handed over.", (80, 1252), 15, anchor="l"))
    labels.append(Label("Form 12-B   Sheet 1 of 2", (920, 1252), 15, anchor="r"))
    return labels


def filled() -> list[Label]:
    """Return what is filled in by hand."""
    pen = Label("", (0, 0), 25, anchor="l", weight=0.2, shear=0.24, wobble=0.9)
    labels = [replace(pen, words=value, at=(x + 16, y + 51)) for (x, y, _, _), _, value in FIELDS]
    for row, item in enumerate(ITEMS):
        base = ROWS[row + 1] + 32
        labels.append(replace(pen, words=item[0], at=(115, base), size=23, anchor="m"))
        labels.append(replace(pen, words=item[1], at=(162, base), size=23))
        for right, value in zip(COLUMNS[3:], item[2:], strict=True):
            labels.append(replace(pen, words=value, at=(right - 18, base), size=23, anchor="r"))
    labels.append(replace(pen, words="229.60", at=(902, ROWS[7] + 32), size=25, anchor="r", weight=0.6))
    labels.append(replace(pen, words="48", at=(404, 1064), size=25))
    labels.append(replace(pen, words="Oakmere, 3 March", at=(88, 1150), size=26))
    labels.append(replace(pen, words="plot warden", at=(396, 1150), size=26))
    return labels


def stamped() -> list[Label]:
    """Return the lettering of the rubber stamp."""
    labels = [Label("RECEIVED", (STAMP[0] + 3, STAMP[1] + 10), 27, weight=0.8, angle=14)]
    for words, start, step, radius in (("OAKMERE GARDENS", 178.2, -12.6, 89.0), ("PLOT OFFICE", 213.0, 11.4, 103.0)):
        for index, character in enumerate(words):
            degrees = start + step * index
            turn = math.radians(degrees)
            place = (STAMP[0] + radius * math.cos(turn), STAMP[1] - radius * math.sin(turn))
            labels.append(Label(character, place, 19, weight=0.4, angle=degrees - 90 if step < 0 else degrees + 90))
    labels.append(Label("4 MAR", (STAMP[0] + 13, STAMP[1] + 51), 19, weight=0.4, angle=14))
    labels.append(Label("No. 31", (STAMP[0] - 11, STAMP[1] - 32), 19, weight=0.4, angle=14))
    return labels


def write_on(layer: Image.Image, labels: Sequence[Label]) -> Image.Image:
    """Return an ink layer, twice too large, with lettering added to it."""
    for label in labels:
        x, y = label.at
        large = replace(label, at=(x * 2, y * 2), size=label.size * 2, weight=label.weight * 2, track=label.track * 2)
        layer = ImageChops.lighter(layer, mask_of(large, layer.size))
    return layer


def scan(layer: Image.Image) -> Array:
    """Return how thickly a layer's ink lies once the sheet is laid askew and scanned."""
    askew = layer.rotate(TILT, Image.Resampling.BICUBIC)
    return to_alpha(askew.reduce(2).filter(ImageFilter.GaussianBlur(0.45)))


def paper() -> Array:
    """Draw the bare sheet: fibers, two folds and the shadow along the scanner's edge."""
    x, y = grid(FORM)
    tone = (fractal("paper", FORM, (420, 420), 4) - 0.5) * 9 + (fractal("fibers", FORM, (5, 9), 2) - 0.5) * 7
    for fold, row in (("upper", 436.0), ("lower", 868.0)):
        bent = y - row + (x - 500) * 0.0122 + (fractal(fold, FORM, (300, 1300), 3) - 0.5) * 3
        tone += np.exp(-np.abs(bent - 2.5) / 5) * 5 - np.exp(-((bent / 1.6) ** 2)) * 17
    edge = np.minimum.reduce([x, y, FORM[0] - x, FORM[1] - y])
    tone -= np.exp(-edge / 9) * 34
    tone -= smoothstep(0.8, 0.95, fractal("spots", FORM, (16, 16), 3)) * 10
    pixels: Array = np.asarray(PAPER, np.float32) + tone[..., None] * np.array([1, 1.02, 1.1], np.float32)
    return pixels


def form(text: bool = True) -> Image.Image:
    """Draw the scanned form: an application for a garden plot.

    Args:
        text: Whether to set the lettering: labels, filled-in values and the words of the stamp.

    Returns:
        An RGB picture of no more than 256 colors.
    """
    title = [
        Label("APPLICATION FOR A GARDEN PLOT", (104, 104), 35, anchor="l", weight=0.9, track=1),
        Label("Oakmere Allotment Gardens, season two", (104, 130), 18, anchor="l", shear=0.16),
    ]
    aside = [Label("Write clearly, in block letters or by hand. One form for each plot.", (80, 196), 17, anchor="l")]
    band = write_on(Image.new("L", (FORM[0] * 2, FORM[1] * 2)), title if text else [])
    wear = 0.9 + 0.1 * smoothstep(0.2, 0.6, fractal("wear", FORM, (3, 3), 2))
    pixels = paper()
    pixels = blend(pixels, GREEN, scan(ImageChops.subtract(shade_layer(), band)) * 0.92 * wear)
    black = write_on(rule_layer(), [*printed(), *aside] if text else [])
    pixels = blend(pixels, PRINT, scan(black) * 0.94 * wear)
    pixels = blend(pixels, PEN, scan(write_on(tick_layer(), filled() if text else [])) * 0.9 * wear)
    blotch = 0.35 + 0.6 * smoothstep(0.2, 0.62, fractal("blotch", FORM, (46, 46), 5))
    red = scan(write_on(stamp_layer(), stamped() if text else [])) * blotch
    pixels = pixels * (1 - red[..., None] * (1 - np.asarray(RED, np.float32) / 255))
    noise = stream("sensor").normal(0, 2.2, (FORM[1], FORM[0], 1)).astype(np.float32)
    return few_colors(pixels + noise)


def few_colors(pixels: Array) -> Image.Image:
    """Return an RGB picture that keeps to ramps from each ink to the paper, as an 8-bit scan does."""
    steps = np.linspace(0, 1.06, 38, dtype=np.float32)[:, None]
    inks = (PRINT, PEN, RED, GREEN, (120, 40, 60))
    base = np.asarray(PAPER, np.float32)
    colors = np.concatenate([np.asarray(ink, np.float32) * (1 - steps) + base * steps for ink in inks])
    colors = np.unique(np.clip(np.rint(colors), 0, 255), axis=0).astype(np.float32)
    rows = [np.argmin((colors**2).sum(1) - 2 * row @ colors.T, axis=1) for row in pixels.astype(np.float32)]
    return to_image(colors[np.stack(rows)])


# --- Writing the files -----------------------------------------------------------------------------------------------

SCENES: dict[str, Callable[[bool], Image.Image]] = {"poster.jpg": poster, "comic.png": comic, "form.png": form}


def indexed(picture: Image.Image) -> Image.Image:
    """Return the same picture with a palette if 256 colors are enough for it, which makes for a smaller file."""
    found = picture.getcolors(256)
    if found is None:
        return picture
    colors = sorted(color for _, color in found if isinstance(color, tuple))
    codes = np.asarray(picture, np.uint32) @ np.array([65536, 256, 1], np.uint32)
    known = np.array([red * 65536 + green * 256 + blue for red, green, blue in colors], np.uint32)
    result = Image.fromarray(np.searchsorted(known, codes).astype(np.uint8))
    result.putpalette([channel for color in colors for channel in color])
    return result


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture, as its file's name asks for."""
    if path.suffix == ".jpg":
        picture.save(path, quality=90, optimize=True)
    else:
        indexed(picture).save(path, optimize=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the three pictures, and their drawings without lettering where asked for."""
    parser = argparse.ArgumentParser(description="Draw the example pictures.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR", help="where they are written")
    parser.add_argument("--clean", type=Path, metavar="DIR", help="also write them without lettering, as PNG, here")
    options = parser.parse_args(arguments)
    for name, scene in SCENES.items():
        options.out.mkdir(parents=True, exist_ok=True)
        save(scene(True), options.out / name)
        if options.clean:
            options.clean.mkdir(parents=True, exist_ok=True)
            save(scene(False), (options.clean / name).with_suffix(".png"))


if __name__ == "__main__":
    main()
