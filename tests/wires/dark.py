"""An engine that reads what is dark, and documents for it."""

from __future__ import annotations

import threading
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cleanplate.contract.geometry import Polygon
from cleanplate.contract.problems import Malformed
from ocr_service.engines import Line, ReadOptions, Word, refuse
from tests.wires import pictures
from tests.wires.serving import PATIENCE_S


def _quad(left: float, right: float, top: float, bottom: float) -> Polygon:
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return tuple((float(x), float(y)) for x, y in corners)


class DarkReader:
    """Reads what is dark as one line."""

    name, model, calls_at_once = "dark", "one line", 1

    def warm_up(self) -> None:
        pass

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        refuse(self.name, options, "doc_orientation", "doc_unwarping")
        rows, columns = np.nonzero(rgb.max(axis=2) < 128)
        if not rows.size:
            return []
        left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        middle = (left + right) // 2
        words = (Word(_quad(left, middle, top, bottom), "EX"), Word(_quad(middle, right, top, bottom), "IT"))
        flag = False if options.textline_orientation else None
        return [Line(_quad(left, right, top, bottom), "EXIT", 0.75, flag, words if options.word_boxes else ())]

    def close(self) -> None:
        pass


class Stumbler(DarkReader):
    """Cannot read a blank page."""

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        lines = super().read(rgb, options)
        if not lines:
            raise Malformed("nothing is on it")
        return lines


class GatedReader(DarkReader):
    """Reads one page for each time that `gate` is released."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        self.entered.release()
        assert self.gate.acquire(timeout=PATIENCE_S)
        return super().read(rgb, options)

    def begun(self) -> None:
        """Return when the next page has begun."""
        assert self.entered.acquire(timeout=PATIENCE_S)

    def let(self, pages: int) -> None:
        """Let so many pages be read."""
        self.gate.release(pages)


def sign() -> NDArray[np.uint8]:
    """Return pixels with one dark bar."""
    pixels = np.full((pictures.HEIGHT, pictures.WIDTH, 3), 255, np.uint8)
    pixels[30:40, 20:60] = 0
    return pixels


SIGN = pictures.encoded(sign())


def pdf(pages: int, *, blank: int = 0, noise_px: int = 0) -> bytes:
    """Return a document of so many such pages, the last of them blank, the first of them noise so wide and high."""
    file = BytesIO()
    sheets = [Image.fromarray(pictures.noise(noise_px, noise_px))] if noise_px else []
    sheets += [Image.fromarray(sign()) for _ in range(pages - blank - len(sheets))]
    sheets += [Image.new("RGB", (pictures.WIDTH, pictures.HEIGHT), "white") for _ in range(blank)]
    sheets[0].save(file, "PDF", save_all=True, append_images=sheets[1:], resolution=72)
    return file.getvalue()
