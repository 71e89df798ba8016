"""The engines that need no weights: the fills, and the choice between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inpaint_service import fills
from inpaint_service.engines import Params
from inpaint_service.patches import Patch, paint, split
from inpaint_service.strategy import choose


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
        chosen: dict[str, list[Patch]] = {}
        for patch in split(mask, near_px=fills.NEAR_PX):
            chosen.setdefault(choose(rgb, patch, mask, self.name).strategy, []).append(patch)
        for name, patches in chosen.items():
            rgb = fills.FILLS[name](rgb, paint(patches, mask.shape), avoid=mask)
        return rgb if chosen else rgb.copy()

    def close(self) -> None:
        """There is nothing to give back."""
