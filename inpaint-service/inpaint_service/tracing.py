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
RING, COLORS = 0.5, 0.75
"""How many text heights past the hull ground is looked for, and how many past the region its colors are learned: what
is further may have the color of the letters."""
MOST_COVERED = 0.7
"""Letters leave more of a region free than this. What covers more is the plate that they stand on."""
FLAT_SCALE, FLAT_SIGMAS, FLAT_SHARE = 3.0, 3.0, 0.98
"""What a plain ground is: the scale of its plane in gray levels, as in `strategy`, and the share of its pixels that lie
within so many times that scale of the plane."""

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
        edges = grow(hull.edges, max(4, round(RING * region.text_height)), self._rgb.shape[:2])
        inside, close = hull.within(edges) > 0, near.within(edges) > 0
        said = self._find_ink(self._rgb, region, edges)
        ink = self._colored(edges, region, said, inside, close, others)
        ink[~inside] = 0
        own = whole.within(edges) > 0
        letters = _ending(_own_letters(ink > INK, said, own), close, inside)
        if not letters.any():
            return None
        left, top, right, bottom = edges
        ground = own | (others[top:bottom, left:right] == 0)
        found = with_rim(self._rgb[top:bottom, left:right], letters, ground, region.text_height)
        pixels = np.where(found & inside, np.uint8(255), np.uint8(0))
        return replace(hull, left=left, top=top, pixels=pixels, kind="stroke").trimmed()

    def _colored(self, edges: Edges, region: Region, said: Ink, inside: Bits, near: Bits, others: Mask) -> Ink:
        """Weigh the network's word by colors. Those of a plate are told from the ink's by what is near alone."""
        left, top, right, bottom = edges
        rgb, foreign = self._rgb[top:bottom, left:right], others[top:bottom, left:right] > 0
        x0, y0, x1, y1 = grow(region.box.pixels(), round(COLORS * region.text_height), self._rgb.shape[:2])
        told = np.zeros_like(inside)
        told[max(y0 - top, 0) : y1 - top, max(x0 - left, 0) : x1 - left] = True
        ink = weighed(rgb, said, told & (inside | (~foreign & (said < INK))))
        return weighed(rgb, said, near) if (ink[near] > INK).mean() > MOST_COVERED else ink

    def is_plain(self, whole: Patch, ink_patch: Patch) -> bool:
        """Return whether what is no ink is the plane through the ring: nothing is lost by repainting the whole."""
        spot = site(whole, np.zeros(self._rgb.shape[:2], np.uint8))
        crop = self._rgb[spot.place]
        rows, columns = spot.place
        ink = ink_patch.within((columns.start, rows.start, columns.stop, rows.stop)) > 0
        plane = fit_plane(crop, spot.ring & ~ink)
        if plane is None or plane.scale > FLAT_SCALE:
            return False
        ground = (spot.own | spot.ring) & ~ink
        off = np.abs(crop[ground] - plane_values(plane.coefficients, spot.own.shape)[ground]).max(axis=1)
        return bool((off <= FLAT_SIGMAS * max(plane.scale, 1.0)).mean() >= FLAT_SHARE)


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
