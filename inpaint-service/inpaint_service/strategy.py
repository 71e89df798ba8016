"""Which fill or model repaints which patch, and why. Pure.

Rules, in order: a fill that was asked for by name; a plane where the ring is flat; the model where one is loaded; the
pattern around it, if there is one; the lines around it; in a hole too large for that, a membrane. A model is not asked
where there is nothing to imagine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inpaint_service import patterns
from inpaint_service.patches import Mask, Patch
from inpaint_service.rings import Plane, fit_plane, site

PLANE, MEMBRANE, COHERENCE, PATTERN, AUTO = "plane", "membrane", "coherence", "pattern", "auto"
BY_NAME = (PLANE, MEMBRANE, COHERENCE, PATTERN)
EMBEDDED = (AUTO, *BY_NAME)

LARGE_PX, WIDE_PX = 200_000, 2_000_000
"""Lines and patterns are not continued through more pixels at once, nor within a larger box: they take several times
the time and the memory of a membrane."""


@dataclass(frozen=True)
class Flatness:
    """What a flat ring is.

    Measured on the ground-truth pairs of `tests/bench/fills.py` and on drawn text: from 1 to 3 gray levels, and with
    0.5 to 5 % of outliers, the mean moves by 0.04 dB at most, while fewer planes take more time; a larger share lets
    planes lie across the edges of things.

    Attributes:
        scale: most that the ring may deviate from its plane, robust standard deviation in gray levels.
        outlier_share: most of it that may lie further than three such deviations off, such as the edge of a plate.
    """

    scale: float = 3.0
    outlier_share: float = 0.05


@dataclass(frozen=True)
class Choice:
    """Who repaints a patch, and the reason in words for a person.

    Attributes:
        plane: (3, 3) float64, that of a flat ring, as `rings.Plane` has it; no more than that is kept of it, since ten
            thousand patches may wait for their turn.
    """

    strategy: str
    reason: str
    plane: NDArray[np.float64] | None = field(default=None, compare=False)


def choose(rgb: NDArray[np.uint8], patch: Patch, mask: Mask, engine: str, flatness: Flatness | None = None) -> Choice:
    """Choose for one patch.

    Args:
        rgb: (H, W, 3) uint8, the picture.
        patch: where to repaint.
        mask: (H, W) uint8, everything masked.
        engine: name of the engine that is loaded.
        flatness: what counts as flat.
    """
    large = patch.area > LARGE_PX or patch.pixels.size > WIDE_PX
    if engine in (COHERENCE, PATTERN) and large:
        return Choice(MEMBRANE, f"{engine} was asked for, but the hole is too large")
    if engine in BY_NAME:
        return Choice(engine, f"{engine} was asked for")
    spot = site(patch, mask)
    plane = fit_plane(rgb[spot.place], spot.ring)
    flat, words = _judge(plane, flatness or Flatness())
    if plane is not None and flat:
        return Choice(PLANE, words, plane.coefficients)
    if engine != AUTO:
        return Choice(engine, words)
    if plane is None or large:
        return Choice(MEMBRANE, f"{words}; no model is loaded, and there is nothing to continue")
    wider = site(patch, mask, patterns.CONTEXT_PX)
    if patterns.find(rgb[wider.place], wider) is not None:
        return Choice(PATTERN, f"{words}; what is around it repeats itself")
    return Choice(COHERENCE, f"{words}; no model is loaded")


def _judge(plane: Plane | None, flatness: Flatness) -> tuple[bool, str]:
    if plane is None:
        return False, "nothing unmasked around it"
    residual = f"residual {plane.scale:.1f} of 255"
    if plane.scale > flatness.scale:
        return False, f"ring is not flat: {residual}"
    if plane.outlier_share > flatness.outlier_share:
        return False, f"ring is crossed by something: {plane.outlier_share:.0%} outliers"
    return True, f"ring is flat: {residual}"
