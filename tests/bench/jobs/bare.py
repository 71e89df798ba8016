"""The floor: OCR, masks and repainting as bare calls. The engine is in a process of its own, the rest in this one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

from cleanplate.contract.messages import Detection
from cleanplate.runtime.images import PictureLimits, decode, encode
from inpaint_service.strokes import StrokeNetwork
from tests.bench.fills import Picture
from tests.bench.quality.erasing import erased, masked
from tests.bench.quality.reading import Reader, regions

ANY = PictureLimits(0, 0, 0)


@dataclass(frozen=True, eq=False)
class Sheet:
    """A picture: before, what was found on it, after, and what the calls took."""

    rgb: Picture
    found: Detection
    erased: Picture
    seconds: float


class Bare:
    """Calls the models."""

    def __init__(self, reader: Reader):
        self._reader = reader
        self._network = StrokeNetwork()

    def erase(self, image: bytes, *, verify: bool) -> Sheet:
        """Do what the three services do of a picture's bytes, to the bytes of a PNG."""
        began = time.perf_counter()
        picture = decode(image, ANY)
        decode_s = time.perf_counter() - began
        rgb = picture.over()
        found, find_s = self.find(rgb)
        after, paint_s = self.paint(rgb, found)
        began = time.perf_counter()
        encode(picture, after)
        encode_s = time.perf_counter() - began
        look_s = self._reader.look_s(after, found) if verify else 0.0
        return Sheet(rgb, found, after, decode_s + find_s + paint_s + encode_s + look_s)

    def find(self, rgb: Picture) -> tuple[Detection, float]:
        """Return the text, and the engine's time alone."""
        found = self._reader.read(rgb)
        return found, found.timings["total"]

    def paint(self, rgb: Picture, found: Detection) -> tuple[Picture, float]:
        """Return the picture without its text, and the time for the masks and the repainting."""
        of = masked(rgb, regions(found), "auto", self._network)
        after = erased(rgb, of, "auto")
        return after.picture, of.seconds + after.seconds

    def both_busy(self, sheets: list[Sheet], *, verify: bool) -> tuple[float, float]:
        """Return the mean time a picture takes OCR, and masks and repainting, while the other is at work too."""

        def read(sheet: Sheet) -> float:
            return self.find(sheet.rgb)[1] + (self._reader.look_s(sheet.erased, sheet.found) if verify else 0.0)

        def paint(sheet: Sheet) -> float:
            return self.paint(sheet.rgb, sheet.found)[1]

        taken: dict[Callable[[Sheet], float], list[float]] = {read: [], paint: []}

        def work(call: Callable[[Sheet], float]) -> None:
            for sheet in cycle(sheets):
                if all(len(each) >= len(sheets) for each in taken.values()):
                    return
                taken[call].append(call(sheet))

        painting = threading.Thread(target=work, args=(paint,))
        painting.start()
        work(read)
        painting.join()
        read_s, paint_s = (sum(each) / len(each) for each in taken.values())
        return read_s, paint_s
