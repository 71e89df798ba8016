"""The default engine reads what is small, long or turned: everything once, at its place."""

from __future__ import annotations

import json
import subprocess
from difflib import SequenceMatcher
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(600)
PYTHON = ROOT / "ocr-service" / ".venv" / "bin" / "python"
ENGINE = """
import json, sys
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from ocr_service import engines
from ocr_service.detect import read_page
from ocr_service.engines import ReadOptions
from ocr_service.looks import look_once
engine = engines.load()
engine.warm_up()

def drawn(width, height, size, places, ink="black", paper="white"):
    image = Image.new("RGB", (width, height), paper)
    for text, place in places.items():
        ImageDraw.Draw(image).text(place, text, ink, ImageFont.load_default(size))
    return np.asarray(image)

def read(rgb, **options):
    return read_page(rgb, engine, ReadOptions(**options))

def texts(lines):
    return [line.text.replace(" ", "") for line in lines]
"""
SMALL = """
told = {}
for size in (7, 8, 9):
    places = {f"{name} street {37 * size}": (60 + 150 * i, 90 * (i + 1))
              for i, name in enumerate(("Hamburg", "Lisbon", "Antwerp", "Genoa", "Seville"))}
    rgb = drawn(2300, 600, size, places, "white", "navy")
    once = texts(look_once(rgb, engine, ReadOptions()))
    told[size] = {"wanted": sorted(name.replace(" ", "") for name in places), "once": sorted(once),
                  "read": sorted(texts(read(rgb).lines))}
print(json.dumps(told))
"""
LONG = """
told = {}
for width, height in ((800, 12000), (9000, 700)):
    places = {f"LINE {number:03d} OF THE STORY": (40 + 457 * number % (width - 400), y)
              for number, y in enumerate(range(30, height - 40, 240 if height > width else 45), 1)}
    lines = read(drawn(width, height, 22, places)).lines
    told[f"{width}x{height}"] = {"wanted": sorted(text.replace(" ", "") for text in places),
                                 "read": sorted(texts(lines))}
print(json.dumps(told))
"""
TURNED = """
rgb = np.asarray(Image.open(sys.argv[1]).convert("RGB"))
upright = read(rgb, word_boxes=True)
told = {"upright": texts(upright.lines), "turned": []}
for turns in (1, 2, 3):
    turned = np.ascontiguousarray(np.rot90(rgb, turns))
    reading = read(turned, word_boxes=True, doc_orientation=True)
    height, width = rgb.shape[:2]
    back = {1: lambda x, y: (width - y, x), 2: lambda x, y: (width - x, height - y), 3: lambda x, y: (y, height - x)}
    off = max(abs(a - b) for found, line in zip(reading.lines, upright.lines)
              for point, was in zip(found.polygon, line.polygon) for a, b in zip(back[turns](*point), was))
    words = [[word.text for word in line.words] for line in reading.lines]
    told["turned"].append({"texts": texts(reading.lines), "off": float(off),
                           "words": words == [[word.text for word in line.words] for line in upright.lines]})
print(json.dumps(told))
"""
BENT = """
import math
wanted, turned, page = "Fresh bread every day", [], Image.new("L", (700, 560))
font, radius, at = ImageFont.load_default(30), 300, -0.5 * ImageFont.load_default(30).getlength("Fresh bread every day")
for letter in wanted:
    wide = font.getlength(letter)
    angle, at = (at + wide / 2) / radius, at + wide
    glyph = Image.new("L", (80, 80))
    ImageDraw.Draw(glyph).text((40, 40), letter, 255, font, anchor="mm")
    glyph = glyph.rotate(-math.degrees(angle), Image.Resampling.BICUBIC)
    place = 350 + radius * math.sin(angle), 400 - radius * math.cos(angle)
    page.paste(255, (round(place[0] - 40), round(place[1] - 40)), glyph)
ink = np.asarray(page)
rgb = np.repeat(255 - ink[:, :, None], 3, axis=2)
for turns in range(4):
    (line,) = read(np.ascontiguousarray(np.rot90(rgb, turns)), word_boxes=True).lines
    outline = Image.new("L", page.size if turns % 2 == 0 else page.size[::-1])
    ImageDraw.Draw(outline).polygon(line.polygon, 255)
    inside, inked = np.asarray(outline) > 0, np.rot90(ink, turns) > 127
    share = inside.sum() / np.prod(np.ptp(np.argwhere(inside), 0))
    turned.append({"text": line.text, "words": [word.text for word in line.words], "corners": len(line.polygon),
                   "held": float(inside[inked].mean()), "share": float(share)})
print(json.dumps({"wanted": wanted, "turned": turned}))
"""


def _told(script: str, *arguments: str) -> Any:
    done = subprocess.run(
        [PYTHON, "-c", ENGINE + script, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _likeness(wanted: list[str], read: list[str]) -> float:
    """Return how much of the text is read, 0 to 1; letters of 4 px are taken for others now and then."""
    best = (max((SequenceMatcher(None, text, one).ratio() for one in read), default=0) for text in wanted)
    return sum(best) / len(wanted)


def test_small_text_of_a_large_picture_is_read() -> None:
    sizes = _told(SMALL).values()
    for told in sizes:
        assert len(told["read"]) == len(told["wanted"])
        assert _likeness(told["wanted"], told["read"]) > 0.9
    assert any(len(told["once"]) < len(told["wanted"]) for told in sizes)


def test_every_line_of_a_long_picture_is_read_once() -> None:
    for told in _told(LONG).values():
        assert told["read"] == told["wanted"]


@pytest.mark.parametrize("name", ["comic.png", "poster.jpg"])
def test_a_turned_picture_is_read_as_the_upright_one(name: str) -> None:
    told = _told(TURNED, str(ROOT / "examples" / name))
    for turned in told["turned"]:
        assert turned["texts"] == told["upright"]
        assert turned["words"]
        assert turned["off"] <= 1


def test_a_bent_line_is_read_and_outlined_along_its_bend_whichever_way_it_is_turned() -> None:
    told = _told(BENT)
    for turned in told["turned"]:
        assert turned["text"].replace(" ", "") == told["wanted"].replace(" ", "")
        assert "".join(turned["words"]) == turned["text"].replace(" ", "")
        assert turned["corners"] > 4
        assert turned["held"] > 0.98
        assert turned["share"] < 0.75
