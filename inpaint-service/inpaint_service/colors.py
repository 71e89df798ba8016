"""Which colors are ink: what the stroke network says of each pixel, weighed by the pixel's color. Pure.

The network knows the shapes of letters, but its edges are soft and over a busy ground it takes too much. A line of text
has few colors and its ground has others: how often each color is the one and the other, as far as the network knows,
tells them apart (naive Bayes over histograms of color, learned anew from its own result).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

SHIFT, BINS = 4, 16
"""Bits of each channel that are dropped, and what is left of its levels."""
SPREAD = 0.7
"""How far a color counts for its neighbors: standard deviation in bins."""
SURELY = 4
"""Power of the network's word by which a pixel tells of the ink's color: only sure ones do. Measured with
`tests.bench.quality`, 2 instead costs 0.1 (drawn pictures) and 0.3 dB (scenes)."""
WEIGHT = 2.0
"""What a color's word counts beside the network's; 1 instead costs up to 2.6 dB (scenes)."""
ROUNDS = 2
DOUBT = 0.01
"""Share of its commonest color that a side is granted of every color."""
LEAST = 1e-3

BLUR: NDArray[np.float64] = gaussian_filter1d(np.eye(BINS), SPREAD, axis=0, mode="constant", radius=2)
"""(16, 16): what of each bin reaches which."""

Ink = NDArray[np.float32]


def weighed(rgb: NDArray[np.uint8], ink: Ink, told: NDArray[np.bool_]) -> Ink:
    """Return how surely each pixel is ink, by its place and its color.

    Args:
        rgb: (h, w, 3) uint8.
        ink: (h, w) float32, 0 to 1, the network's word.
        told: (h, w) bool, the pixels from which the colors are learned.
    """
    level = (rgb >> SHIFT).astype(np.int32)
    color = (level[..., 0] * BINS + level[..., 1]) * BINS + level[..., 2]
    known = np.clip(ink, LEAST, 1 - LEAST)
    place, out, taught = np.log(known / (1 - known)), ink, color[told]
    for _ in range(ROUNDS):
        sure = out[told]
        inks, grounds = _shares(taught, sure**SURELY), _shares(taught, 1 - sure)
        word = (WEIGHT * np.log(inks / grounds)).astype(np.float32)
        out = np.asarray(1 / (1 + np.exp(-place - word[color])), np.float32)
    return out


def _shares(colors: NDArray[np.int32], weights: Ink) -> NDArray[np.float64]:
    """Return the share of each color, (BINS³,); none is 0."""
    smooth = np.asarray(np.bincount(colors, weights=weights, minlength=BINS**3), np.float64)
    for _ in range(3):  # one axis after the other: each time the last becomes the first
        smooth = (BLUR @ smooth.reshape(-1, BINS).T).ravel()
    shares = smooth / (smooth.sum() + LEAST)
    return np.asarray(shares + DOUBT * shares.max() + 1e-12, np.float64)
