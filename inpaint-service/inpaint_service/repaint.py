"""The story of one picture: repaint the units of its plan one after the other, and write masked pixels only.

    plan(rgb, mask, engine) ──► Plan: units, results ──► Canvas(rgb, plan, engine)
                                                           for unit in plan.units: canvas.repaint(unit)

A unit is a patch for a fill or a window for the model, so progress and cancel happen between units that really are
done. Fills go first: the model then sees clean surroundings. The module knows no job, no event and no wire.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cleanplate.contract.problems import EngineUnavailable, Internal
from inpaint_service import crops, masks
from inpaint_service.crops import Window
from inpaint_service.engines import Inpainter, OutOfMemory, Params
from inpaint_service.patches import Mask, Patch, grow
from inpaint_service.plans import FILLS, HdStrategy, Options, Picture, Plan, Unit, plan

__all__ = ["Canvas", "HdStrategy", "Note", "Options", "Plan", "Unit", "plan"]

log = logging.getLogger(__name__)

LEAST_TILE_PX = 128


@dataclass(frozen=True)
class Note:
    """Something that happened on the way and that the caller may want to tell: a code and a sentence."""

    code: Literal["out_of_memory", "split", "cpu"]
    message: str


class Canvas:
    """A picture in the making.

    Args:
        rgb: (H, W, 3) uint8; a copy is worked on.
        plan: what `plan` made for this picture.
        engine: the model it was made for.
        load_on_cpu: loads the same model on the CPU, for when the device's memory does not suffice; None for never.
    """

    def __init__(
        self, rgb: Picture, plan: Plan, engine: Inpainter, load_on_cpu: Callable[[], Inpainter] | None = None
    ) -> None:
        self.picture = rgb.copy()
        self._plan = plan
        self._engine = engine
        self._load_on_cpu = load_on_cpu
        self._to_do = plan.mask.copy()

    def repaint(self, unit: Unit) -> list[Note]:
        """Do one unit, in `picture`.

        Returns:
            What happened on the way, in order.

        Raises:
            EngineUnavailable: memory did not suffice, not even for small tiles.
        """
        if unit.patch is not None:
            self._fill(unit, unit.patch)
            return []
        notes: list[Note] = []
        self._repaint_window(unit.window, notes)
        return notes

    def _fill(self, unit: Unit, patch: Patch) -> None:
        place = unit.window.place
        left, top, right, bottom = unit.window.edges
        own = np.zeros((bottom - top, right - left), np.uint8)
        rows, columns = patch.place
        own[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = patch.pixels
        new = FILLS[unit.strategy](self.picture[place], own, avoid=self._plan.mask[place])
        self._write(unit.window, new, own)

    def _repaint_window(self, window: Window, notes: list[Note]) -> None:
        mask = self._mask_to_do(window)
        core = self._core(window)
        if not mask[core].any():
            return
        try:
            new = self._call(self.picture[window.place].copy(), mask.copy())
        except OutOfMemory as error:
            log.warning("out of memory: %s", error)
            notes.append(Note("out_of_memory", str(error)))
            self._make_do(window, notes, error)
            return
        own = np.zeros_like(mask)
        own[core] = mask[core]
        self._write(window, new, own)

    def _make_do(self, window: Window, notes: list[Note], error: OutOfMemory) -> None:
        """Try again in tiles half as large, and at last on the CPU."""
        bound_px = window.longest_px // 2
        if bound_px >= LEAST_TILE_PX:
            context_px = max(abs(edge - core) for edge, core in zip(window.edges, window.core, strict=True))
            tiles = crops.tiles(window, context_px, self._to_do.shape, bound_px)
            notes.append(Note("split", f"split into {len(tiles)} tiles of at most {bound_px} pixels"))
            for tile in tiles:
                self._repaint_window(tile, notes)
            return
        if self._load_on_cpu is None or self._engine.device == "cpu":
            raise EngineUnavailable(f"{self._engine.name}: memory does not suffice for {bound_px} pixels") from error
        notes.append(Note("cpu", f"{self._engine.name} goes on on the CPU"))
        self._engine = self._load_on_cpu()
        self._repaint_window(window, notes)

    def _call(self, rgb: Picture, mask: Mask) -> Picture:
        options = self._plan.options
        limit = options.resize_limit_px
        if options.hd_strategy == "Resize" and max(mask.shape) > limit:
            return _called_small(self._engine, rgb, mask, options.params, limit)
        new = self._engine.inpaint(rgb, mask, options.params)
        if new.shape != rgb.shape or new.dtype != np.uint8:
            raise Internal(f"{self._engine.name} returned {new.shape} {new.dtype} for {rgb.shape} uint8")
        return new

    def _mask_to_do(self, window: Window) -> Mask:
        return np.where(self._to_do[window.place] > 0, np.uint8(255), np.uint8(0))

    def _core(self, window: Window) -> tuple[slice, slice]:
        (left, top, _, _), (x0, y0, x1, y1) = window.edges, window.core
        return slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)

    def _write(self, window: Window, new: Picture, own: Mask) -> None:
        """Put the new pixels in where `own` is masked, and cross them off."""
        chosen = own > 0
        target = self.picture[window.place]
        if self._plan.options.feather_px:
            new = self._feathered(window, target, new)
        np.copyto(target, new, where=chosen[..., None])
        self._to_do[window.place][chosen] = 0

    def _feathered(self, window: Window, old: Picture, new: Picture) -> Picture:
        feather_px = self._plan.options.feather_px
        edges = grow(window.edges, math.ceil(feather_px) + 1, self._plan.mask.shape)
        share = masks.feather(self._plan.mask[edges[1] : edges[3], edges[0] : edges[2]], feather_px)
        left, top, right, bottom = window.edges
        share = share[top - edges[1] : bottom - edges[1], left - edges[0] : right - edges[0], None]
        return np.rint(old + share * (new.astype(np.float32) - old)).astype(np.uint8)


def _called_small(engine: Inpainter, rgb: Picture, mask: Mask, params: Params | None, limit_px: int) -> Picture:
    """Scale down, repaint, scale back up: the quick look at a large picture."""
    height, width = mask.shape
    factor = limit_px / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small_mask = np.where(cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 0, np.uint8(255), np.uint8(0))
    small = engine.inpaint(np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)), small_mask, params)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
