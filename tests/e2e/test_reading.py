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
