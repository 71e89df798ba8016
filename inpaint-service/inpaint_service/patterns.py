"""A regular pattern around a hole, such as a screentone, a weave or a grid of windows, laid through it. Pure.

What is finer than a blur is compared with itself, shifted: where two shifts that are no multiples of each other, and
their sums, all fit, the pattern repeats itself in the plane, and a hole's pixels are those one shift away. The
constants were chosen on drawn pictures that `tests.bench.quality` does not use and on real ones: there the sums fit
by 0.5 or more in every pattern that covers its surroundings, and by 0.26 at most in signs, tables and lines of text.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from inpaint_service.means import blurred, boxed
from inpaint_service.rings import MAD_TO_SIGMA, Site

CONTEXT_PX = 24
"""How far around a hole its pattern is taken from."""
NEAR_PX = 12
"""How far around it the pattern has to be."""
FINE_PX = 4.0
"""Standard deviation of the blur that a pattern is looked for beneath. It is laid beneath one of half its spacing,
which leaves 0.7 % of its lowest frequency."""
FARTHEST_PX, NEAREST_PX, BASE_PX = 32, 4, 24
"""The longest shift, the shortest, and the longest of the two that span the pattern."""
LEAST, CLIP = 3.0, 2.5
"""What is weaker is grain, in gray levels; what is so many times stronger than most is no part of the pattern."""
ALIKE, CLOSED = 0.6, 0.4
"""From which correlation on a shift fits, and the sum or difference of two that do."""
OVERLAP = 0.3
"""Share of the surroundings that a shift has to be seen on."""
ACROSS = 0.5
"""Sine of the angle between the shifts that span it, at the least."""
COVER, PRESENT, WINDOW_PX = 0.85, 0.25, 9
"""On how much of the surroundings it has to be, by its energy in a window: a share of the mean."""
SHIFTS = 16

Picture = NDArray[np.uint8]
Values = NDArray[np.float32]
Bits = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pattern:
    """What repeats itself.

    Attributes:
        shifts: (n, 2) of rows and columns, best first; each fits in both directions.
        fine: (h, w, 3) float32, what is finer than a blur.
        coarse: (h, w, 3) float32, the rest; both mean something where known alone.
        sound: (h, w) bool, what shows the pattern and nothing else.
    """

    shifts: NDArray[np.intp]
    fine: Values
    coarse: Values
    sound: Bits


def find(crop: Picture, spot: Site) -> Pattern | None:
    """Return the pattern around a patch, if there is one.

    Args:
        crop: (h, w, 3) uint8, the picture `CONTEXT_PX` around the patch.
        spot: the patch in it.
    """
    masked = spot.masked
    apart = ~_grown(masked, 1)
    near = _grown(spot.own, NEAR_PX) & apart
    if np.count_nonzero(near) < WINDOW_PX**2:
        return None
    gray = (crop - blurred(crop, ~masked, FINE_PX)).mean(axis=2)
    most = CLIP * MAD_TO_SIGMA * float(np.median(np.abs(gray[near])))
    if most < CLIP * LEAST:
        return None
    clipped = np.clip(gray, -most, most)
    if not _covers(clipped, apart, near):
        return None
    spanning = _spanning(_likeness(clipped, near, apart))
    if spanning is None:
        return None
    shifts, spacing_px = spanning
    coarse = blurred(crop, ~masked, max(FINE_PX, spacing_px / 2))
    return Pattern(shifts, crop - coarse, coarse, apart & ~_grown(np.abs(gray) > most, 1))


def laid(pattern: Pattern, hole: Bits) -> tuple[Values, Bits]:
    """Lay the pattern through a hole, from its rim on.

    Returns:
        (h, w, 3) float32, its finer part, and (h, w) bool, where there is one.
    """
    fine, known = pattern.fine.copy(), pattern.sound & ~hole
    left = np.stack(np.nonzero(hole), axis=1)
    while len(left):
        found = np.zeros(len(left), bool)
        values = np.empty((len(left), 3), np.float32)
        for shift in itertools.chain.from_iterable((shift, -shift) for shift in pattern.shifts):
            ys, xs = (left + shift).T
            there = ~found & (ys >= 0) & (xs >= 0) & (ys < hole.shape[0]) & (xs < hole.shape[1])
            there[there] = known[ys[there], xs[there]]
            values[there] = fine[ys[there], xs[there]]
            found |= there
        if not found.any():
            break
        ys, xs = left[found].T
        fine[ys, xs], known[ys, xs] = values[found], True
        left = left[~found]
    return fine, known & hole


def _covers(fine: Values, apart: Bits, near: Bits) -> bool:
    """Say whether there is something fine nearly everywhere near the hole."""
    energy = boxed(fine**2, apart, WINDOW_PX)[0][near]
    return float((energy >= PRESENT * energy.mean()).mean()) >= COVER


def _likeness(fine: Values, near: Bits, apart: Bits) -> Values:
    """Return how alike the surroundings and the picture are, by how far that is shifted.

    Returns:
        (2 * FARTHEST_PX + 1,) * 2, 1 for the same and 0 for what has nothing in common; no shift is in the middle.
    """
    height, width = (fft.next_fast_len(side + FARTHEST_PX, real=True) for side in fine.shape)
    one, other = (
        [fft.rfft2(part.astype(np.float32), (height, width)) for part in (bits, fine * bits, fine**2 * bits)]
        for bits in (near, apart)
    )

    def shifted(first: int, second: int) -> Values:
        products = fft.irfft2(np.conj(one[first]) * other[second], (height, width))
        rolled = np.roll(products, (FARTHEST_PX, FARTHEST_PX), (0, 1))
        return np.asarray(rolled[: 2 * FARTHEST_PX + 1, : 2 * FARTHEST_PX + 1], np.float32)

    energy = shifted(2, 0) + shifted(0, 2)
    alike = 2 * shifted(1, 1) / np.maximum(energy, 1e-6)
    return np.where(shifted(0, 0) > OVERLAP * np.count_nonzero(near), alike, np.float32(-1))


def _spanning(alike: Values) -> tuple[NDArray[np.intp], float] | None:
    """Return the shifts that fit, best first, if the two shortest that span the plane have sums that fit too.

    With them comes the length of the longer of these two.
    """
    around = cv2.dilate(alike, np.ones((3, 3), np.uint8))
    peaks = np.stack(np.nonzero((alike >= around) & (alike >= ALIKE)), axis=1)
    peaks = peaks[np.argsort(-alike[tuple(peaks.T)], kind="stable")]
    shifts = peaks - FARTHEST_PX
    shifts = shifts[np.abs(shifts).max(axis=1) >= NEAREST_PX]
    lengths = np.linalg.norm(shifts, axis=1)
    bases = shifts[np.argsort(lengths, kind="stable")][: np.count_nonzero(lengths <= BASE_PX)]
    for other in bases[1:]:
        first = bases[0]
        spacing_px = float(np.linalg.norm(other))
        if abs(first[0] * other[1] - first[1] * other[0]) > ACROSS * spacing_px * float(np.linalg.norm(first)):
            sums = np.stack((first + other, first - other, 2 * first, 2 * other))
            sums = sums[np.abs(sums).max(axis=1) <= FARTHEST_PX] + FARTHEST_PX
            closed = len(sums) and around[tuple(sums.T)].min() >= CLOSED
            return (shifts[:SHIFTS], spacing_px) if closed else None
    return None


def _grown(bits: Bits, by_px: int) -> Bits:
    return np.asarray(cv2.dilate(bits.astype(np.uint8), np.ones((2 * by_px + 1,) * 2, np.uint8)) > 0)
