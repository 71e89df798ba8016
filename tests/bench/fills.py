"""Score the fills on pictures whose background is known: `python tests/bench/fills.py [TESTSET]`.

Two tables. The first: PSNR of the whole picture in dB, masks from the ground truth's boxes; the fill sees the picture
as it is, ink past the boxes included, and in its result everything outside them is taken from the truth. OpenCV's
Telea is the floor of the same run. The `photo` rows have boxes at random places of the clean pictures, where nobody
would set text: the hard case. The second: the same boxes drawn too tight and shifted, as a detector may, masked as
polygons with several dilations; what the mask misses of the ink stays in.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import Region
from inpaint_service import fills, masks, patches, repaint
from inpaint_service.engines.embedded import Embedded
from inpaint_service.masks import MaskOptions
from inpaint_service.patches import Patch

Picture = NDArray[np.uint8]
Method = Callable[[Picture, Picture], Picture]
DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "testset"
KINDS = ("scene", "poster", "photo")
DILATIONS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
TIGHT, SHIFT = 0.08, 0.03


@dataclass(frozen=True, eq=False)
class Pair:
    """A picture with text, the same without, and the mask of the text's boxes.

    Outside the boxes the two differ in more than text: `boxed` is the truth with the text of the boxes.
    """

    kind: str
    text: Picture
    truth: Picture
    mask: Picture

    @property
    def boxed(self) -> Picture:
        return self.scored(self.text)

    def scored(self, result: Picture) -> Picture:
        return np.where(self.mask[..., None] > 0, result, self.truth)


def telea(rgb: Picture, mask: Picture) -> Picture:
    return np.asarray(cv2.inpaint(rgb, mask, 3, cv2.INPAINT_TELEA), dtype=np.uint8)


def router(rgb: Picture, mask: Picture) -> Picture:
    engine = Embedded("auto")
    plan = repaint.plan(rgb, mask, engine)
    canvas = repaint.Canvas(rgb, plan, engine)
    for unit in plan.units:
        canvas.repaint(unit)
    return canvas.picture


METHODS: dict[str, Method] = {
    "nothing": lambda rgb, mask: rgb,
    "telea r3": telea,
    "plane": fills.plane_fill,
    "membrane": fills.membrane_fill,
    "coherence": fills.coherence_fill,
    "pattern": fills.pattern_fill,
    "router": router,
}


def pairs(testset: Path) -> Iterator[Pair]:
    folder = testset / "self-supervised-text-erasing"
    for path in sorted(folder.glob("scene_test_all_images_*.jpg")):
        truth = read(Path(str(path).replace("_images_", "_labels_")))
        boxes = read(Path(str(path).replace("_images_", "_masks_")))[:, :, 0] < 128
        yield Pair("scene", read(path), truth, boxes.astype(np.uint8) * 255)
    for line in (folder / "poster_ps_test.txt").read_text(encoding="utf-8").splitlines():
        _, name, fields, _ = line.split("\t")
        path = folder / f"poster_test_{Path(name).stem}.png"
        if path.exists():
            truth = read(path.with_name(f"{path.stem}_g.png"))
            yield Pair("poster", read(path), truth, box_mask(json.loads(fields)["mask"], truth))


def photos(clean: list[Picture]) -> Iterator[Pair]:
    rng = np.random.default_rng(0)
    for truth in clean:
        height, width = truth.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        for top in range(20, height - 60, 90):
            left, length = int(rng.integers(8, width - 130)), int(rng.integers(80, 260))
            mask[top : top + int(rng.integers(18, 50)), left : min(left + length, width - 8)] = 255
        yield Pair("photo", truth, truth, mask)


def read(path: Path) -> Picture:
    return np.ascontiguousarray(np.asarray(cv2.imread(str(path)), dtype=np.uint8)[:, :, ::-1])


def box_mask(text: str, like: Picture) -> Picture:
    mask = np.zeros(like.shape[:2], np.uint8)
    for box in text.strip(";").split(";"):
        left, right, top, bottom = map(int, box.split(","))
        mask[top:bottom, left:right] = 255
    return mask


def psnr(one: Picture, other: Picture) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * float(np.log10(255**2 / max(error, 1e-6)))


def tight_region(patch: Patch, rng: np.random.Generator) -> Region:
    """Return the patch's tilted bounding box, too tight and a little off."""
    (x, y), sides, angle = cv2.minAreaRect(np.argwhere(patch.pixels)[:, ::-1].astype(np.float32))
    width, height = (max(2.0, (side + 1) * (1 - TIGHT)) for side in sides)
    x, y = np.array((x, y)) + rng.normal(0, SHIFT * min(sides), 2) + (patch.left + 0.5, patch.top + 0.5)
    corners = cv2.boxPoints(((float(x), float(y)), (width, height), angle))
    return Region(polygon=tuple((float(u), float(v)) for u, v in corners))


def tight_mask(pair: Pair, dilation: float) -> Picture:
    rng = np.random.default_rng(0)
    regions = [tight_region(patch, rng) for patch in patches.split(pair.mask)]
    return masks.mask_from_regions(regions, pair.mask.shape, MaskOptions("polygon", dilation))


def missed_share(pair: Pair, mask: Picture) -> float:
    ink = (np.abs(pair.text.astype(int) - pair.truth).max(axis=2) > 40) & (pair.mask > 0)
    return 100 * float((ink & (mask == 0)).sum() / max(ink.sum(), 1))


def by_kind(found: list[Pair], value: Callable[[Pair], float]) -> str:
    kinds = [kind for kind in KINDS if any(pair.kind == kind for pair in found)]
    return "".join(f"{np.mean([value(pair) for pair in found if pair.kind == kind]):9.2f}" for kind in kinds)


def fill_table(found: list[Pair]) -> None:
    print(f"{'method':10s}" + "".join(f"{kind:>9s}" for kind in KINDS) + "  ms per picture")
    for name, method in METHODS.items():
        start = time.perf_counter()
        row = by_kind(found, lambda pair: psnr(pair.scored(method(pair.text, pair.mask)), pair.truth))  # noqa: B023
        print(f"{name:10s}{row}  {1000 * (time.perf_counter() - start) / len(found):8.1f}")


def dilation_table(found: list[Pair]) -> None:
    print(f"\nboxes {TIGHT:.0%} too tight, shifted by {SHIFT:.0%}; left: PSNR in dB, right: ink missed in %")
    for dilation in DILATIONS:
        covers = {id(pair): tight_mask(pair, dilation) for pair in found}
        scores = by_kind(found, lambda pair: psnr(router(pair.boxed, covers[id(pair)]), pair.truth))  # noqa: B023
        missed = by_kind(found, lambda pair: missed_share(pair, covers[id(pair)]))  # noqa: B023
        print(f"{dilation:<10.2f}{scores}   |{missed}")


def main() -> None:
    found = list(pairs(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT))
    if not found:
        sys.exit("no pairs in this folder")
    fill_table(found + list(photos([pair.truth for pair in found])))
    dilation_table(found)


if __name__ == "__main__":
    main()
