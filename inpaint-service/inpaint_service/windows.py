"""A crop of the picture that a model gets to see, and what of it is written. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_service.patches import Edges


@dataclass(frozen=True)
class Window:
    """A crop of the picture: edges in pixels, right and bottom exclusive.

    Attributes:
        edges: what the model sees.
        core: (left, top, right, bottom) of what is written; within `edges`.
        regions: indices of the boxes that it serves.
        shared: how many pixels of the core, from its left, top, right and bottom, a neighboring tile writes too: the
            left and top ones were written before it, the right and bottom ones are written again after it.
    """

    edges: Edges
    core: Edges
    regions: tuple[int, ...]
    shared: Edges = (0, 0, 0, 0)

    @property
    def place(self) -> tuple[slice, slice]:
        """Return its rows and columns in the picture."""
        left, top, right, bottom = self.edges
        return slice(top, bottom), slice(left, right)

    @property
    def inner(self) -> tuple[slice, slice]:
        """Return the rows and columns of its core, counted from its own corner."""
        (left, top, _, _), (x0, y0, x1, y1) = self.edges, self.core
        return slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)

    @property
    def final(self) -> tuple[slice, slice]:
        """Return the rows and columns of its core that no later tile writes again, likewise."""
        (rows, columns), (_, _, right, bottom) = self.inner, self.shared
        return slice(rows.start, max(0, rows.stop - bottom)), slice(columns.start, max(0, columns.stop - right))

    @property
    def shape(self) -> tuple[int, int]:
        """Return its (height, width)."""
        left, top, right, bottom = self.edges
        return bottom - top, right - left

    @property
    def longest_px(self) -> int:
        """Return its longer side."""
        return max(self.shape)
