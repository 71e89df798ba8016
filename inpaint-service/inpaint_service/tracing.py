"""From what the stroke network says to a mask: the ink of one region and its rim. Pure.

A letter belongs to the region in which most of it lies, so that the line below is left alone where it reaches in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import Region
from inpaint_service.colors import Ink, weighed
from inpaint_service.patches import Edges, Mask, Patch, grow
from inpaint_service.rims import Bits, with_rim
from inpaint_service.rings import fit_plane, plane_values, site

INK = 0.4
"""From how surely a pixel is ink, by its place and color; at 0.3 the drawn photographs of `tests.bench.quality` lose
0.15 dB."""
OWN_SHARE = 0.3
"""Share of a letter that has to lie in the region."""
SEEN = 0.4
"""The network's mean word of a letter, at least: what merely has the ink's color is something else."""
RING = 0.9
"""How many text heights past the letters ground is looked for. Its colors are learned from the hull's box: what is
further may have the color of the letters."""
MOST_COVERED = 0.7
"""Letters leave more of a region free than this. What covers more is the plate that they stand on."""
HEEDED, CLEARLY = 0.93, 0.03
"""Colors seldom gainsay more of what the network is sure of. Where they do, as on a plate around which all has the
color of the letters, those near the line are asked alone, and heeded if they gainsay less by so much. Measured with
`tests.bench.quality`: 1.7 dB on the scenes, 0.3 dB on mixed pictures; photographs lose 0.1 dB."""
FLAT_SCALE, FLAT_SIGMAS, FLAT_SHARE = 3.0, 3.0, 0.98
"""What a plain ground is: the scale of its plane in gray levels, as in `strategy`, and the share of its pixels that lie
within so many times that scale of the plane."""
FLAT_SAMPLE = 800
"""Of how many pixels that plane is fitted to."""

FindInk = Callable[[NDArray[np.uint8], Region, Edges], Ink]


class Tracer:
    """Traces the ink in one picture.

    Args:
        rgb: (H, W, 3) uint8.
        find_ink: what finds it; `strokes.StrokeNetwork.ink`.
    """

    def __init__(self, rgb: NDArray[np.uint8], find_ink: FindInk) -> None:
        self._rgb = rgb
        self._find_ink = find_ink

    def trace(self, region: Region, whole: Patch, near: Patch, hull: Patch, others: Mask) -> Patch | None:
        """Return the letters of one region.

        Args:
            region: the line.
            whole: its polygon, as it would be repainted as a whole.
            near: the polygon grown as far as letters surely are followed.
            hull: the polygon grown further; letters are followed that far if they end there.
            others: (H, W) uint8, not 0 in other regions.

        Returns:
            None where there is no ink.
        """
        left, top, right, bottom = edges = grow(hull.edges, 1, others.shape)
        place = slice(top, bottom), slice(left, right)
        inside, close, own = (patch.within(edges) > 0 for patch in (hull, near, whole))
        said = self._find_ink(self._rgb, region, edges)
        ink = _colored(self._rgb[place], said, inside, close, others[place] > 0)
        ink[~inside] = 0
        letters = _ending(_own_letters(ink > INK, said, own), close, inside)
        if not letters.any():
            return None
        core = replace(hull, left=left, top=top, pixels=letters.astype(np.uint8)).trimmed()
        rimmed = self._with_rim(core, whole, others, region.text_height).within(edges) > 0
        pixels = np.where(rimmed & inside, np.uint8(255), np.uint8(0))
        return replace(core, left=left, top=top, pixels=pixels, kind="stroke").trimmed()

    def _with_rim(self, core: Patch, whole: Patch, others: Mask, height: float) -> Patch:
        left, top, right, bottom = edges = grow(core.edges, max(4, round(RING * height)), others.shape)
        place = slice(top, bottom), slice(left, right)
        ground = (whole.within(edges) > 0) | (others[place] == 0)
        taken = with_rim(self._rgb[place], core.within(edges) > 0, ground, height)
        return replace(core, left=left, top=top, pixels=taken.astype(np.uint8))

    def is_plain(self, whole: Patch, ink_patch: Patch) -> bool:
        """Return whether what is no ink is the plane through the ring: nothing is lost by repainting the whole."""
        spot = site(whole, np.zeros(self._rgb.shape[:2], np.uint8))
        crop = self._rgb[spot.place]
        rows, columns = spot.place
        ink = ink_patch.within((columns.start, rows.start, columns.stop, rows.stop)) > 0
        plane = fit_plane(crop, spot.ring & ~ink, FLAT_SAMPLE)
        if plane is None or plane.scale > FLAT_SCALE:
            return False
        ground = (spot.own | spot.ring) & ~ink
        off = np.abs(crop[ground] - plane_values(plane.coefficients, spot.own.shape)[ground]).max(axis=1)
        return bool((off <= FLAT_SIGMAS * max(plane.scale, 1.0)).mean() >= FLAT_SHARE)


def _colored(rgb: NDArray[np.uint8], said: Ink, inside: Bits, near: Bits, foreign: Bits) -> Ink:
    """Weigh the network's word by colors. Those of a plate are told from the ink's by what is near alone."""
    ink = weighed(rgb, said, inside | (~foreign & (said < INK)))
    covered, heeded = (ink[near] > INK).mean() > MOST_COVERED, _heeded(ink, said, near)
    if not covered and heeded > HEEDED:
        return ink
    told = weighed(rgb, said, near)
    return told if covered or _heeded(told, said, near) > heeded + CLEARLY else ink


def _heeded(ink: Ink, said: Ink, near: Bits) -> float:
    """Return how much of what the network is sure of near the line is still so, 0 to 1."""
    sure = np.abs(said[near] - 0.5)
    return float(sure[(ink > INK)[near] == (said[near] > 0.5)].sum() / max(float(sure.sum()), 1e-6))


def _ending(letters: Bits, near: Bits, inside: Bits) -> Bits:
    """Leave what goes on past the hull, such as the edge of a sign: letters end there."""
    _, labels = cv2.connectedComponents((letters & ~near).astype(np.uint8), connectivity=8)
    pieces = np.asarray(labels)
    beyond = cv2.dilate((~inside).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    endless = np.zeros(pieces.max() + 1, bool)
    endless[pieces[beyond]] = True
    endless[0] = False
    return np.asarray(letters & ~endless[pieces])


def _own_letters(ink: Bits, said: Ink, own: Bits) -> Bits:
    """Keep the connected pieces of ink of which enough lies within the region and that the network has seen too."""
    count, labels = cv2.connectedComponents(ink.astype(np.uint8), connectivity=8)
    flat = np.asarray(labels).ravel()
    area = np.bincount(flat, minlength=count)
    inside = np.bincount(flat, weights=own.ravel(), minlength=count)
    seen = np.bincount(flat, weights=said.ravel(), minlength=count)
    keep = (inside >= OWN_SHARE * area) & (seen >= SEEN * area)
    keep[0] = False
    return np.asarray(keep[labels])
