"""Reading pictures with the product's own OCR engine, which lives in another environment than the repainting."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from backend.residue import Reading, still_readable
from backend.windows import windows
from cleanplate.contract.messages import DetectedRegion, Detection, Region
from tests.bench.fills import Picture

ROOT = Path(__file__).resolve().parents[3]
SAME_PLACE = 0.5  # intersection over union, as in ICDAR 2015's protocol


class Reader:
    """The engine's process; `with` ends it."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        command = [str(ROOT / "ocr-service" / ".venv" / "bin" / "python"), "-m", "tests.bench.quality.ocr"]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,  # as the services: Linux shares processors among sessions
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def read(self, rgb: Picture) -> Detection:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        path = Path(self._folder.name) / "picture.npy"
        np.save(path, rgb)
        asked.write(f"{path}\n")
        answer = answers.readline()
        if not answer:
            raise SystemExit("the OCR engine's process has ended")
        return Detection.model_validate_json(answer)

    def look_s(self, rgb: Picture, before: Detection) -> float:
        """Return the engine's time for a second look, as the backend looks: at windows around what was erased."""
        height, width = rgb.shape[:2]
        places = windows((Reading.of(region).box for region in before.regions), width, height)
        edges = [place.pixels() for place in places]
        return sum(self.read(rgb[top:bottom, left:right]).timings["total"] for left, top, right, bottom in edges)


def regions(found: Detection) -> tuple[Region, ...]:
    return tuple(Region(id=one.id, polygon=tuple(one.polygon), text=one.text) for one in found.regions)


def left(before: Detection, after: Detection) -> int:
    """Count the regions that can still be read, by the criterion of `tests/e2e/test_pictures.py`."""
    now = [Reading.of(one) for one in after.regions]
    return sum(still_readable(Reading.of(one), now) for one in before.regions)


def detected(true: tuple[Region, ...], found: Detection) -> int:
    """Count the true regions that the detector finds."""
    return sum(any(_same_place(one, other) for other in found.regions) for one in true)


def _same_place(one: Region, other: DetectedRegion) -> bool:
    a, b = (cv2.convexHull(np.array(points, np.float32)) for points in (one.outline, other.polygon))
    shared = cv2.intersectConvexConvex(a, b)[0]
    return shared > SAME_PLACE * (cv2.contourArea(a) + cv2.contourArea(b) - shared)
