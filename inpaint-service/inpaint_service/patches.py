"""A piece of a mask and its place in the picture, and the pieces that a mask falls into. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Mask = NDArray[np.uint8]
Edges = tuple[int, int, int, int]
Kind = Literal["box", "polygon", "stroke"]


@dataclass(frozen=True, eq=False)
class Patch:
    """A mask of its own, cut out to its bounding box.

    Attributes:
        left: column of its first pixel in the picture.
        top: row of its first pixel in the picture.
        pixels: (h, w) uint8, 255 where the patch is, 0 elsewhere.
        name: what the caller calls it.
        kind: how it was made of a region: `box`, `polygon` or `stroke`; None where there was no region.
    """

    left: int
    top: int
    pixels: Mask
    name: str = ""
    kind: Kind | None = None

    @property
    def edges(self) -> Edges:
        """Return (left, top, right, bottom), right and bottom exclusive."""
        height, width = self.pixels.shape
        return self.left, self.top, self.left + width, self.top + height

    @property
    def place(self) -> tuple[slice, slice]:
        """Return the rows and columns of the picture that it spans."""
        left, top, right, bottom = self.edges
        return slice(top, bottom), slice(left, right)

    @property
    def area(self) -> int:
        """Return how many pixels it holds."""
        return cv2.countNonZero(self.pixels)

    def within(self, edges: Edges) -> Mask:
        """Return it on the pixels within these edges, (bottom - top, right - left) uint8; what is outside is cut."""
        left, top, right, bottom = edges
        out = np.zeros((bottom - top, right - left), np.uint8)
        x0, y0, x1, y1 = max(left, self.left), max(top, self.top), min(right, self.edges[2]), min(bottom, self.edges[3])
        if x1 > x0 and y1 > y0:
            mine = self.pixels[y0 - self.top : y1 - self.top, x0 - self.left : x1 - self.left]
            out[y0 - top : y1 - top, x0 - left : x1 - left] = mine
        return out

    def trimmed(self) -> Patch:
        """Return it without the empty rows and columns around what it holds."""
        x, y, width, height = cv2.boundingRect(self.pixels)
        pixels = self.pixels[y : y + height, x : x + width]
        return replace(self, left=self.left + x, top=self.top + y, pixels=pixels)


def split(mask: Mask, *, near_px: int = 0) -> list[Patch]:
    """Cut a mask into its 8-connected pieces, from the top down.

    Args:
        mask: (H, W) uint8, not 0 where masked; only its bounding box is searched.
        near_px: pieces closer than about twice this belong together, such as the letters of a word.

    Returns:
        Patches that do not share a pixel and together hold every masked pixel.
    """
    left, top, width, height = cv2.boundingRect(mask)
    inner = mask[top : top + height, left : left + width]
    if not inner.size:
        return []
    side = 2 * near_px + 1
    joined = cv2.dilate(inner, np.ones((side, side), np.uint8)) if near_px else inner
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = np.asarray(stats, np.int32)[:, :4]
    return [_trim(inner, np.asarray(labels), label, boxes[label], (left, top)) for label in range(1, count)]


def united(parts: Sequence[Patch], mask: Mask) -> list[tuple[Patch, tuple[int, ...]]]:
    """Put the patches together that touch, be it through a third.

    Args:
        parts: patches of any shape, such as the letters of a line.
        mask: (H, W) uint8, all of them painted.

    Returns:
        Patches that do not touch and together hold all, each with the indices of its parts, in order of its first.
    """
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    pieces = [np.unique(np.asarray(labels)[part.place][part.pixels > 0]) for part in parts]
    rows = np.repeat(np.arange(len(parts)), [len(piece) for piece in pieces])
    columns = len(parts) + np.concatenate(pieces) if pieces else rows
    links = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(len(parts) + count,) * 2)
    groups: dict[int, list[int]] = {}
    for index, group in enumerate(connected_components(links, directed=False)[1][: len(parts)]):
        groups.setdefault(int(group), []).append(index)
    return [(union([parts[index] for index in group]), tuple(group)) for group in groups.values()]


def paint(patches: Iterable[Patch], size: tuple[int, int]) -> Mask:
    """Return the (H, W) uint8 mask of `size` in which all the patches are 255."""
    mask = np.zeros(size, np.uint8)
    for patch in patches:
        mask[patch.place] |= patch.pixels
    return mask


def grow(edges: Edges, by_px: int, size: tuple[int, int]) -> Edges:
    """Move all four edges outwards, but not out of a picture of `size` (height, width)."""
    left, top, right, bottom = edges
    return max(0, left - by_px), max(0, top - by_px), min(size[1], right + by_px), min(size[0], bottom + by_px)


def union(parts: Sequence[Patch]) -> Patch:
    """Return one patch, without name and kind, of all the pixels that the parts hold."""
    if len(parts) == 1:
        return parts[0]
    edges = np.array([part.edges for part in parts])
    (left, top), (right, bottom) = edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)
    moved = [replace(part, left=part.left - int(left), top=part.top - int(top)) for part in parts]
    return Patch(int(left), int(top), paint(moved, (int(bottom - top), int(right - left))))


def _trim(
    mask: Mask, labels: NDArray[np.generic], label: int, box: NDArray[np.int32], origin: tuple[int, int]
) -> Patch:
    x, y, width, height = (int(value) for value in box)
    place = np.s_[y : y + height, x : x + width]
    pixels = np.where((labels[place] == label) & (mask[place] > 0), np.uint8(255), np.uint8(0))
    return Patch(origin[0] + x, origin[1] + y, pixels).trimmed()
