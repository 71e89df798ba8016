"""Grain: what fills lack beside the film grain, paper or sensor noise around them. Pure.

A fill is smoother than what it lies in, and on a grainy picture that is what one sees of it. Grain is nowhere the true
one, so it costs: with `tests.bench.quality` 0.1 dB on scenes, less on other pictures.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint_service.means import blurred, boxed
from inpaint_service.rings import MAD_TO_SIGMA

FINE_PX = 1.5
"""Standard deviation of the blur that what is finer than is told by."""
LEAST, MOST = 0.8, 8.0
"""Weaker grain is not seen, in gray levels; what is stronger is texture, for which no noise can stand in."""
AMOUNT = 0.75
"""Share of its strength that is given: the eye misses little of it, and it costs about half as much as all of it."""
QUIET, WINDOW_PX = 0.3, 15
"""Share of the surroundings, where least happens in a window, that tells the grain: edges are none. Told by all of them
the scenes lose 0.4 dB, and plain fills in busy places are speckled; coarse grain comes out weaker so."""
ENOUGH_PX = 64
SIGMAS = 3.0

Picture = NDArray[np.uint8]
Bits = NDArray[np.bool_]


def with_grain(filled: Picture, before: Picture, own: Bits, known: Bits, seed: tuple[int, ...]) -> Picture:
    """Return a fill with the grain of its surroundings: colors drawn from theirs, as coarse as these.

    Args:
        filled: (h, w, 3) uint8.
        before: (h, w, 3) uint8, the picture there.
        own: (h, w) bool, what was filled.
        known: (h, w) bool, what is not masked.
        seed: the same gives the same grain.
    """
    apart = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    fine = before - blurred(before, apart, FINE_PX)
    quiet = _quiet(fine, apart)
    around = fine[quiet]
    if len(around) < ENOUGH_PX:
        return filled
    scale, busy = (MAD_TO_SIGMA * np.median(np.abs(values), axis=0) for values in (around, fine[apart]))
    if not LEAST <= scale.max() <= busy.max() <= MOST:
        return filled
    drawn = np.random.default_rng(seed).choice(np.clip(around, -SIGMAS * scale, SIGMAS * scale), own.shape)
    grain = _coarse(drawn, _likeness(fine, quiet))
    grained = np.clip(np.rint(filled + AMOUNT * grain), 0, 255).astype(np.uint8)
    return np.where(own[..., None], grained, filled)


def _quiet(fine: NDArray[np.float32], apart: Bits) -> Bits:
    """Return where least happens around."""
    energy, _ = boxed((fine**2).mean(axis=2), apart, WINDOW_PX)
    return np.asarray(apart & (energy <= np.quantile(energy[apart], QUIET))) if apart.any() else apart


def _likeness(fine: NDArray[np.float32], apart: Bits) -> float:
    """Return the correlation of neighbors in a row, of the green channel, from 0 to 0.9."""
    both = apart[:, 1:] & apart[:, :-1]
    one, other = fine[:, 1:, 1][both], fine[:, :-1, 1][both]
    return float(np.clip((one * other).sum() / max(float((one * one).sum()), 1e-6), 0, 0.9))


def _coarse(drawn: NDArray[np.float32], likeness: float) -> NDArray[np.float32]:
    """Return noise as strong as it was, blurred by the Gaussian that makes neighbors so alike."""
    if likeness < 0.1:
        return drawn
    soft = cv2.GaussianBlur(drawn, (0, 0), math.sqrt(-1 / (4 * math.log(likeness))))
    return np.asarray(soft * (drawn.std() / max(float(soft.std()), 1e-6)), np.float32)
