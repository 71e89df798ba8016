"""A long PDF through the ocr-service: the memory that it takes, how soon its pages are there, and what a page costs.

The floor is the same pages rendered and read in this process, without a service, one after the other. Run with the
ocr-service's environment:
    PYTHONPATH=shared:ocr-service ocr-service/.venv/bin/python tests/bench/documents.py [--pages 200] [--dpi 100]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import cast

import psutil
import requests
from PIL import Image, ImageDraw, ImageFont

from cleanplate.runtime.pdf.documents import PIXEL_LIMIT
from cleanplate.runtime.pdf.renderer import PdfRenderer
from ocr_service import engines
from ocr_service.detect import detect

A4_INCHES = (8.27, 11.69)
DRAWN_DPI = 150
LINES = 12
WORDS = ("quick", "brown", "fox", "jumps", "over", "lazy", "dog", "while", "seven", "wizards", "pack", "boxes")
EARLY_PAGE = 20
FLOOR_PAGES = 10
PAGE_S = 120.0
MB = 1_000_000


@dataclass
class Moment:
    """What was seen when the event of a page came."""

    page: int
    at_s: float
    rss: int
    fetched: bool


def sheets(pages: int) -> Iterator[Image.Image]:
    """Draw pages of text, each another."""
    font = ImageFont.load_default(28)
    chance = random.Random(5)
    for number in range(1, pages + 1):
        sheet = Image.new("L", tuple(round(side * DRAWN_DPI) for side in A4_INCHES), 255)  # type: ignore[arg-type]
        draw = ImageDraw.Draw(sheet)
        draw.text((120, 80), f"Page {number}", 0, ImageFont.load_default(56))
        for line in range(LINES):
            draw.text((120, 220 + 60 * line), " ".join(chance.choices(WORDS, k=10)), 0, font)
        yield sheet


def document(pages: int) -> bytes:
    file, drawn = BytesIO(), sheets(pages)
    next(drawn).save(file, "PDF", save_all=True, append_images=drawn, resolution=DRAWN_DPI)
    return file.getvalue()


class Service:
    """An ocr-service in a process of its own."""

    def __init__(self, folder: Path, pages: int, dpi: int):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = {"PORT": port, "DATA": folder, "LANES": 1, "MAX_PAGES": pages, "PDF_DPI": dpi}
        environment = {**os.environ, **{f"OCR_{name}": str(value) for name, value in settings.items()}}
        environment["LOG_LEVEL"] = "WARNING"
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([sys.executable, "-m", "ocr_service"], env=environment)
        while not self._ready():
            time.sleep(0.2)

    def rss(self) -> int:
        """Return its memory, that of the process that renders included."""
        service = psutil.Process(self.process.pid)
        return sum(process.memory_info().rss for process in (service, *service.children(recursive=True)))

    def read(self, data: bytes) -> list[Moment]:
        """Submit a document, follow it, and fetch each page when it is told."""
        start = time.perf_counter()
        job = requests.post(f"{self.url}/v1/documents", files={"file": data}, timeout=60).json()
        moments = []
        with requests.get(job["events_url"], stream=True, timeout=300) as stream:
            for line in stream.iter_lines():
                event = json.loads(line[6:]) if line.startswith(b"data: ") else {}
                if event.get("type") == "progress":
                    page = event["data"]["page"]
                    text = requests.get(f"{job['status_url']}/pages/{page}?format=txt", timeout=60).text
                    whole = f"Page{page}" in text.replace(" ", "")
                    moments.append(Moment(page, time.perf_counter() - start, self.rss(), whole))
        assert requests.get(job["status_url"], timeout=60).json()["status"] == "succeeded"
        return moments

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False


def floor_s(data: bytes, pages: int, dpi: int) -> float:
    """Return the seconds a page takes without a service."""
    engine = cast(engines.TextEngine, engines.load(threads=1))
    engine.warm_up()
    start = time.perf_counter()
    with closing(PdfRenderer(data, dpi, PAGE_S, PIXEL_LIMIT)) as document:
        for index in range(pages):
            detect(document.picture(index), engine)
    return (time.perf_counter() - start) / pages


def report(moments: list[Moment], idle: int, floor: float) -> None:
    early, last = moments[min(EARLY_PAGE, len(moments)) - 1], moments[-1]
    paces = sorted(after.at_s - before.at_s for before, after in pairwise(moments))
    print(f"{'pages read':44} {len(moments)}")
    print(f"{'of them fetched with their text while it ran':44} {sum(moment.fetched for moment in moments)}")
    print(f"{'first page, last page':44} {moments[0].at_s:.1f} s, {last.at_s:.1f} s")
    print(f"{'a page, median':44} {paces[len(paces) // 2]:.2f} s, without the service {floor:.2f} s")
    print(f"{'memory: before, page 20, most, end':44} ", end="")
    print(", ".join(f"{size / MB:.0f}" for size in (idle, early.rss, max(m.rss for m in moments), last.rss)), "MB")
    print(f"{'memory at the end / after page 20':44} {last.rss / early.rss:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--dpi", type=int, default=100)
    given = parser.parse_args()
    data = document(given.pages)
    floor = floor_s(data, min(FLOOR_PAGES, given.pages), given.dpi)
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), given.pages, given.dpi)
        try:
            idle = service.rss()
            report(service.read(data), idle, floor)
        finally:
            service.process.terminate()
            service.process.wait()


if __name__ == "__main__":
    main()
