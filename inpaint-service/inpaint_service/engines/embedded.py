"""The engines that need no weights: the plane, the membrane, and the choice between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inpaint_service import fills
from inpaint_service.engines import Params
from inpaint_service.patches import paint, split
from inpaint_service.strategy import PLANE, choose


class Embedded:
    """A fill behind the engines' Protocol; `repaint` calls the fills themselves, patch by patch."""

    device = "cpu"
    modulus = 1
    calls_at_once = 8
    largest_side_px: int | None = None

    def __init__(self, name: str) -> None:
        self.name = name

    def warm_up(self) -> None:
        """There is nothing to warm."""

    def inpaint(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        """Repaint a crop; `params` has no bearing on a fill."""
        patches = split(mask, near_px=fills.NEAR_PX)
        flat = [patch for patch in patches if choose(rgb, patch, mask, self.name).strategy == PLANE]
        planes = paint(flat, mask.shape)
        filled = fills.plane_fill(rgb, planes, avoid=mask)
        return fills.membrane_fill(filled, np.where(planes > 0, np.uint8(0), mask), avoid=mask)

    def close(self) -> None:
        """There is nothing to give back."""
