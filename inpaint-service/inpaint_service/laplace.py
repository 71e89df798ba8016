"""Laplace's equation on the pixels of a picture, solved by full multigrid. Pure.

Scheme and notation: Briggs, Henson and McCormick, A Multigrid Tutorial, 2nd edition, 2000, chapters 3 and 4. Arrays
are planar, (channels, h, w) float32. Of every pixel's state, `known` is a Dirichlet boundary, `unknown` is solved
for, and what is neither does not exist: the solution meets it, and the crop's border, with zero slope.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]
Bits = NDArray[np.bool_]

COARSEST = 200
SWEEPS = 3
DAMPING = 0.8


@dataclass(frozen=True, eq=False)
class _Grid:
    known: Bits
    unknown: Bits
    degree: NDArray[np.float32]  # how many neighbors exist
    step: NDArray[np.float32]  # damping / degree on unknown pixels, 0 elsewhere
    share: NDArray[np.float32]  # how much of a bilinear sample on the next finer grid exists


def membrane(values: NDArray[np.float32], known: Bits, unknown: Bits, *, cycles: int = 1) -> NDArray[np.float32]:
    """Stretch a membrane over the unknown pixels.

    Args:
        values: (h, w, channels) float32, read where known.
        known: (h, w) bool, the pixels that hold the membrane.
        unknown: (h, w) bool, disjoint from `known`.
        cycles: V-cycles per level; each divides the error by about four.

    Returns:
        (h, w, channels) float32; every unknown pixel is the mean of those of its four neighbors that exist; 0 where
        no known pixel can be reached. After one cycle the error is about 2 % of the deviation among the known pixels.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    known = known & (cv2.dilate(unknown.astype(np.uint8), cross) > 0)
    grids = _grids(known, unknown)
    planes = [np.ascontiguousarray(np.moveaxis(np.where(known[..., None], values, 0), 2, 0), dtype=np.float32)]
    for grid in grids[:-1]:
        count = np.maximum(_sum_of_four(grid.known.astype(np.float32)[None]), 1)
        planes.append(_sum_of_four(planes[-1]) / count)
    solution = planes[-1]
    _solve_directly(grids[-1], solution, np.zeros_like(solution))
    for level in range(len(grids) - 2, -1, -1):
        fine = planes[level]
        np.copyto(fine, _refine(solution, grids[level + 1], fine.shape), where=grids[level].unknown)
        for _ in range(cycles):
            _cycle(grids[level:], fine, np.zeros_like(fine))
        solution = fine
    return np.moveaxis(solution, 0, 2)


def _grids(known: Bits, unknown: Bits) -> list[_Grid]:
    """Halve the picture until few pixels are unknown; a coarse pixel is known if any of its four is."""
    grids = [_grid(known, unknown)]
    while np.count_nonzero(unknown) > COARSEST and max(unknown.shape) > 2:
        known, unknown = (_sum_of_four(bits.astype(np.float32)[None])[0] > 0 for bits in (known, unknown))
        unknown &= ~known
        grids.append(_grid(known, unknown))
    return grids


def _grid(known: Bits, unknown: Bits) -> _Grid:
    exists = (known | unknown).astype(np.float32)
    degree = np.maximum(_neighbors(exists[None])[0], 1)
    step = np.where(unknown, np.float32(DAMPING) / degree, np.float32(0))
    return _Grid(known, unknown, degree, step, np.maximum(_double(exists), 1e-6))


def _cycle(grids: list[_Grid], x: Planes, right: Planes) -> None:
    """Improve `x` in place by one V-cycle for: degree * x - sum of neighbors = right."""
    grid = grids[0]
    if len(grids) == 1:
        _solve_directly(grid, x, right)
        return
    _relax(grid, x, right)
    residual = _sum_of_four((_neighbors(x) - grid.degree * x + right) * grid.unknown)
    correction = np.zeros_like(residual)
    _cycle(grids[1:], correction, residual * grids[1].unknown)
    x += _refine(correction, grids[1], x.shape) * grid.unknown
    _relax(grid, x, right)


def _relax(grid: _Grid, x: Planes, right: Planes) -> None:
    """Apply damped Jacobi sweeps in place."""
    for _ in range(SWEEPS):
        change = _neighbors(x)
        change -= grid.degree * x
        change += right
        change *= grid.step
        x += change


def _neighbors(x: Planes) -> Planes:
    """Return the sum of each pixel's four neighbors; beyond the border is 0."""
    total = np.zeros_like(x)
    total[:, 1:] += x[:, :-1]
    total[:, :-1] += x[:, 1:]
    total[:, :, 1:] += x[:, :, :-1]
    total[:, :, :-1] += x[:, :, 1:]
    return total


def _sum_of_four(x: Planes) -> Planes:
    """Return the sums of 2 by 2 pixels; an odd side is padded with 0."""
    _, height, width = x.shape
    x = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2)))
    rows = x[:, ::2] + x[:, 1::2]
    total: Planes = rows[:, :, ::2] + rows[:, :, 1::2]
    return total


def _refine(coarse: Planes, grid: _Grid, shape: tuple[int, ...]) -> Planes:
    """Interpolate to the next finer grid, bilinearly and from pixels that exist alone."""
    _, height, width = shape
    fine = np.stack([_double(plane) for plane in coarse])
    fine /= grid.share
    return fine[:, :height, :width]


def _double(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = plane.shape
    doubled = cv2.resize(plane, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(doubled, dtype=np.float32)


def _solve_directly(grid: _Grid, x: Planes, right: Planes) -> None:
    """Solve the coarsest grid densely, in place; a trace of ridge sends islands without a known pixel to 0."""
    ys, xs = np.nonzero(grid.unknown)
    if not len(ys):
        return
    index = np.full(grid.unknown.shape, -1)
    index[ys, xs] = np.arange(len(ys))
    matrix = np.diag(grid.degree[ys, xs].astype(np.float64) + 1e-6)
    for one, other in ((index[1:], index[:-1]), (index[:, 1:], index[:, :-1])):
        both = (one >= 0) & (other >= 0)
        matrix[one[both], other[both]] = matrix[other[both], one[both]] = -1
    held = _neighbors(x * grid.known) + right
    x[:, ys, xs] = np.linalg.solve(matrix, held[:, ys, xs].T).T
