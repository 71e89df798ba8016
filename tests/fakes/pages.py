"""Documents whose pages say their number in dark bars, and an engine that reads them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ocr_service.engines import Line, ReadOptions, TextEngine

BAR_PX, EVERY_PX = 6, 12
PATIENCE_S = 30.0


def sheet(number: int, side: int = 144) -> NDArray[np.uint8]:
    """Return a white page with so many bars."""
    pixels = np.full((side, side, 3), 255, np.uint8)
    for bar in range(number):
        top = EVERY_PX * (bar + 1)
        pixels[top : top + BAR_PX, 20:120] = 0
    return pixels


def document(pages: int, kind: str = "PDF", **more: Any) -> bytes:
    """Return a document of so many pages, the first with one bar."""
    file = BytesIO()
    sheets = [Image.fromarray(sheet(number)) for number in range(1, pages + 1)]
    if kind == "PDF":
        more.setdefault("resolution", 72)
    sheets[0].save(file, kind, save_all=True, append_images=sheets[1:], **more)
    return file.getvalue()


class BarReader:
    """Reads each bar as a line. The pages in `broken` fail as often as they say; `gate`, if any, lets pages through."""

    name, model, calls_at_once = "bars", "none", 1

    def __init__(self, broken: dict[int, int] | None = None, gate: threading.Semaphore | None = None):
        self.broken = Counter(broken or {})
        self.gate = gate
        self.seen: list[int] = []

    def __call__(self, name: str, **_: Any) -> TextEngine:
        """Be loaded."""
        return self

    def warm_up(self) -> None:
        pass

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        dark = (rgb[:, 60].max(axis=1) < 128).astype(np.int8)
        tops, ends = (np.flatnonzero(np.diff(dark, prepend=0, append=0) == way) for way in (1, -1))
        self.begin(len(tops))
        lines = zip(tops.tolist(), ends.tolist(), strict=True)
        return [
            Line(((20.0, top), (120.0, top), (120.0, end), (20.0, end)), f"line {number}", 0.9)
            for number, (top, end) in enumerate(lines, 1)
        ]

    def begin(self, page: int) -> None:
        """Note which page it is, and do what was arranged for it."""
        if self.gate is not None:
            assert self.gate.acquire(timeout=PATIENCE_S)
        self.seen.append(page)
        if self.broken[page] > 0:
            self.broken[page] -= 1
            raise RuntimeError(f"page {page} breaks the engine")

    def close(self) -> None:
        pass


class Deadly(BarReader):
    """Kills its own process at a page, as often as it is told; every page begun is a line in a file."""

    def __init__(self, page: int, times: int, log: Path):
        super().__init__()
        self.page, self.times, self.log = page, times, log

    def begin(self, page: int) -> None:
        with self.log.open("a") as file:
            file.write(f"{page}\n")
        if page == self.page and self.log.read_text().split().count(str(page)) <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)


def main(page: int, times: int, log: Path) -> None:
    """Serve with a deadly engine; the settings come from the environment."""
    from cleanplate.runtime.service import serve
    from cleanplate.runtime.settings import read_settings
    from ocr_service.app import make_app
    from ocr_service.settings import PREFIXES, OcrSettings

    settings = read_settings(OcrSettings, PREFIXES)
    serve(make_app(settings, Deadly(page, times, log)), settings)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
