"""What lies around letters and is theirs: the soft edge that scaling, blur and JPEG give them, and glow. Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint_service.means import boxed

GROW = 0.04
"""How far letters are grown, as a share of the text height; at least one pixel."""
ALIKE = 5.0
"""A pixel of what was grown is left alone when no channel is further than this from the mean of the ground around
it, in gray levels. Beside growing alone the drawn pictures of `tests.bench.quality` gain 0.1 of precision, lose 0.003
of recall, and photographs gain 0.2 dB; 7 loses 0.4 dB on the scenes, whose JPEG leaves fainter edges. To ask for more
than the ground's own deviation instead loses ten times the recall."""
AROUND, AROUND_PX = 0.25, 4
"""How far around a pixel the ground's mean is taken: a share of the text height, and the least."""
LEAST_GROUND_PX = 3
BAND, FADED = 0.05, 0.7
"""Width of the bands around letters in which a glow is looked for, and how far away it has faded, as shares of the text
height."""
STRONG, STRONGER = 12.0, 1.4
"""What a glow is at its brightest, at the least: gray levels, and times the ground's own deviation."""
FALL, FALLS, FALLEN = 1.5, 3, 0.6
"""By how many gray levels it falls from a band to the next, at the least, over how many bands, and to what share."""
FOLLOWED, GONE, GONE_SHARE = 4.0, 5.0, 0.12
"""To how many gray levels it is followed, and what may be left of it in the end: so many, or a share of its most."""

Bits = NDArray[np.bool_]


def with_rim(rgb: NDArray[np.uint8], letters: Bits, ground: Bits, height: float) -> Bits:
    """Return letters with the pixels around them that are not simply the ground's.

    Args:
        rgb: (h, w, 3) uint8, with some ground around the letters: `FADED` of the text height for a glow to be seen.
        letters: (h, w) bool.
        ground: (h, w) bool, what may be ground: not other regions.
        height: of the text, pixels.
    """
    core = _grown(letters, max(1, round(GROW * height)))
    reach = core | _glow(rgb, core, ground, height)
    side = 2 * max(AROUND_PX, round(AROUND * height)) + 1
    around, count = boxed(rgb, ground & ~reach, side)
    rim = reach & ~letters
    off = np.abs(rgb[rim] - around[rim])
    taken = letters.copy()
    taken[rim] = (off > ALIKE).any(axis=1) | (count[rim] < LEAST_GROUND_PX)
    return taken


def _grown(bits: Bits, by_px: int) -> Bits:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1,) * 2)
    return np.asarray(cv2.dilate(bits.astype(np.uint8), kernel) > 0)


def _glow(rgb: NDArray[np.uint8], letters: Bits, ground: Bits, height: float) -> Bits:
    """Return what lies so near to letters that their light, or soft shadow, reaches it.

    From band to band around them the mean color falls toward that of the ground. Within a band pixels are no more
    unlike than the ground's are, nor do they get so. On a plain ground nothing falls; bands that leave a plate bit by
    bit have pixels of two kinds.
    """
    nothing = np.zeros_like(letters)
    step = max(1.0, BAND * height)
    last = round(FADED * height / step) + 1
    distance = cv2.distanceTransform((~letters).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    far, near = (ground & (distance > bands * step) for bands in (last - 1, 1))
    near &= distance <= 2 * step  # nearer is the letters' soft edge
    if last < FALLS + 3 or not (near.any() and far.any()):
        return nothing
    away = rgb[far].mean(axis=0, dtype=np.float32)
    toward = rgb[near].mean(axis=0, dtype=np.float32) - away
    brightest = float(np.linalg.norm(toward))
    if brightest < STRONG:
        return nothing
    bands = np.where(ground, np.minimum(np.ceil(distance / step), last), 0).astype(np.intp)
    count = np.bincount(bands.ravel(), minlength=last + 1)
    if count[1:].min() < 8 or count[last] < 50:
        return nothing
    along = ((rgb - away) @ (toward / brightest)).ravel()
    mean = np.bincount(bands.ravel(), along, last + 1) / np.maximum(count, 1)
    spread = np.bincount(bands.ravel(), along**2, last + 1) / np.maximum(count, 1) - mean**2
    scatter = np.sqrt(np.maximum(spread, 0))
    profile, unlike, usual = mean[2:last], scatter[2:last], scatter[last]
    first, near = profile[: FALLS + 1], unlike[: FALLS + 1]
    if (
        first[0] < STRONGER * usual
        or (np.diff(first) > -FALL).any()
        or first[-1] > FALLEN * first[0]
        or (near > 0.15 * first + 1.3 * usual + 3).any()
        or near.max() > 1.1 * near[0] + 0.1 * first[0]
        or (np.abs(profile[-3:]) > max(GONE, GONE_SHARE * first[0])).any()
    ):
        return nothing
    followed = profile > FOLLOWED
    reach = last if followed.all() else 1 + int(followed.argmin())
    return np.asarray(distance <= reach * step)
