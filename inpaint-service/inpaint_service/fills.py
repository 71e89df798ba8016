"""Repainting without weights: a plane or a membrane through the ring of each patch, its lines or its pattern. Pure.

All fills return a new picture in which every pixel outside the mask is the very one that came in. They round, work
in crops around the patches only, and give the same result every time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inpaint_service import coherence, patterns
from inpaint_service.laplace import membrane
from inpaint_service.patches import Mask, split
from inpaint_service.rings import RING_PX, Bits, Plane, Site, fit_plane, plane_values, site
from inpaint_service.strategy import COHERENCE, MEMBRANE, PATTERN, PLANE

NEAR_PX = 4
LEFTOVER_SCALE = 5.0
AROUND_PX = {PLANE: RING_PX, MEMBRANE: RING_PX, COHERENCE: coherence.CONTEXT_PX, PATTERN: patterns.CONTEXT_PX}
"""How much of the picture a fill looks at around a patch."""

Picture = NDArray[np.uint8]


def plane_fill(rgb: Picture, mask: Mask, *, avoid: Mask | None = None) -> Picture:
    """Repaint every patch with the robust plane through its ring.

    Args:
        rgb: (H, W, 3) uint8.
        mask: (H, W) uint8, not 0 where to repaint.
        avoid: (H, W) uint8, not 0 where the picture is not to be trusted either; none when left out.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    return _filled(rgb, mask, avoid, PLANE, lambda crop, spot, plane: plane_values(plane.coefficients, spot.own.shape))


def membrane_fill(rgb: Picture, mask: Mask, *, avoid: Mask | None = None) -> Picture:
    """Repaint every patch with a Laplace membrane held by its ring.

    The membrane is that of the ring's deviation from its plane, so that a slope runs on to the picture's border.
    Where the ring is smooth but for some outliers, these are taken for ink that the mask has missed or for the edge
    of a plate, and do not hold it: on the ground-truth pairs of `tests/bench/fills.py` the scenes gain 3.1 dB (nearly
    all of it in one of the five) and the posters 0.2 dB. A ring that is rough all over (`LEFTOVER_SCALE`) has
    structure instead of leftovers: without the limit, boxes over photographs lost 0.8 dB.

    Args and returns: as `plane_fill`.
    """
    return _filled(rgb, mask, avoid, MEMBRANE, _membrane)


def coherence_fill(rgb: Picture, mask: Mask, *, avoid: Mask | None = None) -> Picture:
    """Repaint every patch with the lines around it continued through it.

    Args and returns: as `plane_fill`.
    """
    return _filled(rgb, mask, avoid, COHERENCE, _continued)


def pattern_fill(rgb: Picture, mask: Mask, *, avoid: Mask | None = None) -> Picture:
    """Repaint every patch with the regular pattern around it; where there is none, as `coherence_fill` does.

    Args and returns: as `plane_fill`.
    """
    out, left = rgb.copy(), mask.copy()
    for spot in _sites(mask, avoid, PATTERN):
        crop = rgb[spot.place]
        pattern, plane = patterns.find(crop, spot), fit_plane(crop, spot.ring)
        if pattern is not None and plane is not None:
            fine, laid = patterns.laid(pattern, spot.masked)
            values = plane_values(plane.coefficients, laid.shape)
            coarse = values + membrane(pattern.coarse - values, ~spot.masked, spot.masked)
            laid &= spot.own
            np.copyto(out[spot.place], levels(coarse + fine), where=laid[..., None])
            left[spot.place][laid] = 0
    return coherence_fill(out, left, avoid=mask if avoid is None else mask | avoid)


FILLS: dict[str, Callable[..., Picture]] = {
    PLANE: plane_fill,
    MEMBRANE: membrane_fill,
    COHERENCE: coherence_fill,
    PATTERN: pattern_fill,
}


def levels(values: NDArray[np.float32]) -> Picture:
    """Round to gray levels, uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _filled(
    rgb: Picture,
    mask: Mask,
    avoid: Mask | None,
    strategy: str,
    values: Callable[[Picture, Site, Plane], NDArray[np.float32]],
) -> Picture:
    """Repaint every patch with these values of its crop."""
    out = rgb.copy()
    for spot in _sites(mask, avoid, strategy):
        crop = rgb[spot.place]
        plane = fit_plane(crop, spot.ring)
        new = _blank(crop, spot) if plane is None else values(crop, spot, plane)
        np.copyto(out[spot.place], levels(new), where=spot.own[..., None])
    return out


def _sites(mask: Mask, avoid: Mask | None, strategy: str) -> list[Site]:
    untrusted = mask if avoid is None else mask | avoid
    return [site(patch, untrusted, AROUND_PX[strategy]) for patch in split(mask, near_px=NEAR_PX)]


def _membrane(crop: Picture, spot: Site, plane: Plane) -> NDArray[np.float32]:
    leftover = _leftover(plane)
    values = plane_values(plane.coefficients, spot.own.shape)
    return values + membrane(crop - values, spot.ring & ~leftover, spot.own | leftover)


def _continued(crop: Picture, spot: Site, plane: Plane) -> NDArray[np.float32]:
    """Return the crop with the lines continued through all that is masked in it, starting from a membrane."""
    unknown = spot.masked | _leftover(plane)
    values = plane_values(plane.coefficients, unknown.shape)
    deviation = crop - values
    guess = membrane(deviation, ~unknown, unknown)
    return values + coherence.continued(np.where(unknown[..., None], guess, deviation), unknown)


def _leftover(plane: Plane) -> Bits:
    return plane.outliers & (plane.scale <= LEFTOVER_SCALE)


def _blank(crop: Picture, spot: Site) -> NDArray[np.float32]:
    """Return the patch's own median color: all there is to go by where everything around is masked as well."""
    return np.broadcast_to(np.median(crop[spot.own], axis=0), crop.shape).astype(np.float32)
