"""The untouched pixels around a patch, and the plane that fits them. Pure.

The ring is all that a fill knows of what lay behind the text, and how well a plane fits it says how flat that was.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint_service.patches import Mask, Patch, grow

RING_PX = 6
ROUNDS = 6
SAMPLE = 4000
TUKEY = 4.685
MAD_TO_SIGMA = 1.4826
LEAST_SCALE = 0.5
SETTLED = 0.01
OUTLIER_SIGMAS = 3.0
OUTLIER_LEAST_SCALE = 2.0

Bits = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Site:
    """A patch with its surroundings, in a crop of the picture.

    Attributes:
        place: rows and columns of the crop in the picture.
        own: (h, w) bool, the patch.
        ring: (h, w) bool, the unmasked pixels up to `RING_PX` from it.
        masked: (h, w) bool, all that is masked, the patch included.
    """

    place: tuple[slice, slice]
    own: Bits
    ring: Bits
    masked: Bits


@dataclass(frozen=True, eq=False)
class Plane:
    """A robust plane through the ring, per channel, and how the ring deviates from it.

    Attributes:
        coefficients: (3, 3) float64, what `plane_values` makes the plane of.
        scale: robust standard deviation of the ring's pixels from it, in gray levels, of the worst channel.
        outliers: (h, w) bool, ring pixels further than three such deviations from it in some channel.
        outlier_share: their share of the ring.
    """

    coefficients: NDArray[np.float64]
    scale: float
    outliers: Bits
    outlier_share: float


def site(patch: Patch, mask: Mask, around_px: int = RING_PX) -> Site:
    """Find the ring of a patch.

    Args:
        patch: where to repaint.
        mask: (H, W) uint8, all of the picture's masked pixels: none of them can be part of a ring.
        around_px: how much of the picture to show around it.
    """
    left, top, right, bottom = edges = grow(patch.edges, around_px, mask.shape[:2])
    own = patch.within(edges)
    near = cv2.dilate(own, np.ones((2 * RING_PX + 1,) * 2, np.uint8))
    place = slice(top, bottom), slice(left, right)
    masked = (own > 0) | (mask[place] > 0)
    return Site(place, own > 0, (near > 0) & ~masked, masked)


def fit_plane(crop: NDArray[np.uint8], ring: Bits, sample: int = SAMPLE) -> Plane | None:
    """Fit a plane to the ring by iteratively reweighted least squares, each channel by itself.

    The weights are Tukey's biweight (Beaton and Tukey, Technometrics 16, 1974) with his constant 4.685 and the median
    absolute deviation as scale, so that ink which reaches into the ring counts for nothing. Six rounds: twenty moved
    the result on the test pairs by less than 0.03 dB. Of a large ring a sample is enough.

    Args:
        crop: (h, w, 3) uint8 around the patch.
        ring: (h, w) bool, the pixels to trust.
        sample: how many of them are enough.

    Returns:
        The plane, or None where the ring is empty.
    """
    if not ring.any():
        return None
    ys, xs = np.nonzero(ring)
    at_ring = _basis(ys, xs, ring.shape)
    values = crop[ys, xs].astype(np.float64)
    step = -(-len(values) // sample)
    coefficients, scales = _reweighted(at_ring[::step], values[::step])
    residuals = np.abs(values - at_ring @ coefficients)
    far = (residuals > OUTLIER_SIGMAS * np.maximum(scales, OUTLIER_LEAST_SCALE)).any(axis=1)
    outliers = np.zeros_like(ring)
    outliers[ys[far], xs[far]] = True
    return Plane(coefficients, float(scales.max()), outliers, float(far.mean()))


def plane_values(coefficients: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a plane over the whole (h, w) crop whose ring it was fitted to, (h, w, 3) float32."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (_basis(y, x, shape) @ coefficients).astype(np.float32)


def _reweighted(
    basis: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coefficients and, per channel, the robust standard deviation."""
    products = (basis[:, :, None] * basis[:, None, :]).reshape(-1, 9)
    channels = np.ascontiguousarray(values.T)
    weights, before = np.ones_like(channels), np.zeros(len(channels))
    for _ in range(ROUNDS + 1):
        coefficients = _least_squares(basis, products, channels, weights)
        residuals = np.abs(channels - coefficients @ basis.T)
        scales = np.maximum(MAD_TO_SIGMA * np.median(residuals, axis=1), LEAST_SCALE)
        if (np.abs(scales - before) < SETTLED * scales).all():
            break
        before = scales
        weights = np.square(np.maximum(1 - np.square(residuals / (TUKEY * scales[:, None])), 0))
    return coefficients.T, scales


def _basis(y: NDArray[np.intp], x: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return (..., 3) of pixels of a crop: x, y in units of its longer side around its center, and 1."""
    height, width = shape
    side = max(height, width)
    return np.stack(((x - (width - 1) / 2) / side, (y - (height - 1) / 2) / side, np.ones(x.shape)), axis=-1)


def _least_squares(
    basis: NDArray[np.float64],
    products: NDArray[np.float64],
    channels: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Solve the three weighted normal equations; a whisper of ridge keeps a ring on one line solvable."""
    normal = (weights @ products).reshape(-1, 3, 3) + np.diag((1e-3, 1e-3, 1e-9))
    right = (weights * channels) @ basis
    solution: NDArray[np.float64] = np.linalg.solve(normal, right[..., None])[..., 0]
    return solution
