"""The pictures to erase text from: made up with exact truth, pairs with truth, and real ones without."""

from __future__ import annotations

import csv
import importlib
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import Region
from cleanplate.runtime.images import PictureLimits, decode
from inpaint_service import patches
from inpaint_service.patches import Mask, Patch
from tests.bench import fills
from tests.bench.fills import Picture
from tests.bench.quality.metrics import Bits

Kind = Literal["photo", "mixed", "scene", "poster", "real"]
MADE: tuple[Kind, ...] = ("photo", "mixed")
PAIRS: tuple[Kind, ...] = ("scene", "poster")
TRAINING = Path(__file__).resolve().parents[3] / "inpaint-service" / "training"
LIMITS = PictureLimits(0, 0, 0)
WITHOUT_TRUTH = ("no", "pseudo (tool-cleaned)", "boxes only", "polygons", "boxes+text")


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a picture.

    Attributes:
        clean: (H, W, 3) uint8, the picture without the text.
        regions: the lines of text.
        area: (H, W) uint8, 255 in the regions.
        ink: (H, W) bool, the text's pixels; None where only the regions are known.
    """

    clean: Picture
    regions: tuple[Region, ...]
    area: Mask
    ink: Bits | None

    def scored(self, result: Picture) -> Picture:
        """Return what is compared: outside their boxes pairs differ in more than text, so there the truth is taken."""
        return result if self.ink is not None else np.where(self.area[..., None] > 0, result, self.clean)


@dataclass(frozen=True, eq=False)
class Case:
    """A picture with text, (H, W, 3) uint8 RGB."""

    kind: Kind
    name: str
    text: Picture
    truth: Truth | None


def made(fonts: Path, pictures: Path, index: Path, count: int) -> Iterator[Case]:
    """Draw text without noise, so that the truth is exact, in fonts and over pictures that were not trained on."""
    sys.path.append(str(TRAINING))  # it needs fontTools, which no service has
    materials = importlib.import_module("materials").Materials(fonts, pictures, index, test=True)
    scene = importlib.import_module("scenes").scene
    for kind in MADE:
        for number in range(1, count + 1):
            rng = random.Random(f"{kind} {number}")
            drawn = scene(materials, rng, photos_only=kind == "photo", plain_camera=True)
            if not drawn.quads:  # no line found room
                continue
            # a quad has a pixel's center at a whole number, a region has it half a pixel further
            regions = tuple(_region(quad + 0.5) for quad in drawn.quads)
            area = _area(regions, drawn.ink.shape)
            yield Case(kind, f"{kind} {number}", drawn.text, Truth(drawn.clean, regions, area, drawn.ink))


def pairs(testset: Path, count: int) -> Iterator[Case]:
    numbers: dict[Kind, int] = dict.fromkeys(PAIRS, 0)
    for pair in fills.pairs(testset):
        kind: Kind = "scene" if pair.kind == "scene" else "poster"
        numbers[kind] += 1
        if numbers[kind] <= count:
            regions = tuple(_around(patch) for patch in patches.split(pair.mask))
            yield Case(kind, f"{kind} {numbers[kind]}", pair.text, Truth(pair.truth, regions, pair.mask, None))


def real(testset: Path, count: int) -> Iterator[Case]:
    """Yield the pictures of which the manifest knows no truth, as displayed."""
    with (testset / "MANIFEST.tsv").open(encoding="utf-8") as file:
        names = [
            row["file"] for row in csv.DictReader(file, delimiter="\t") if row["has_ground_truth"] in WITHOUT_TRUTH
        ]
    for name in names[:count]:
        yield Case("real", name, decode((testset / name).read_bytes(), LIMITS).over(), None)


def corners(region: Region) -> NDArray[np.int32]:
    """Return the pixels at the region's corners, (N, 2), for OpenCV to draw."""
    return np.rint(np.array(region.outline) - 0.5).astype(np.int32)


def _region(points: NDArray[np.generic]) -> Region:
    return Region(polygon=tuple((float(x), float(y)) for x, y in points))


def _around(patch: Patch) -> Region:
    """Return the patch's tilted bounding box."""
    (x, y), (width, height), angle = cv2.minAreaRect(np.argwhere(patch.pixels)[:, ::-1].astype(np.float32))
    center = (x + patch.left + 0.5, y + patch.top + 0.5)
    return _region(cv2.boxPoints((center, (width + 1, height + 1), angle)))


def _area(regions: tuple[Region, ...], size: tuple[int, ...]) -> Mask:
    area = np.zeros(size, np.uint8)
    for region in regions:
        cv2.fillPoly(area, [corners(region)], 255)
    return area
