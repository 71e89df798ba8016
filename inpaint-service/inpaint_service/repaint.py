"""The story of one picture: repaint the units of its plan one after the other, and write masked pixels only.

    plan(rgb, mask, engine) ──► Plan: units, results ──► Canvas(rgb, plan, engine)
                                                           for unit in plan.units: canvas.repaint(unit)

A unit is a patch for a fill or a window for the model, so progress and cancel happen between units that really are
done. Fills go first: the model then sees clean surroundings. The module knows no job, no event and no wire.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cleanplate.contract.problems import EngineUnavailable, Internal
from inpaint_service import fills, masks, tiles
from inpaint_service.engines import Batching, Inpainter, OutOfMemory, Params, most_in_batch
from inpaint_service.grain import with_grain
from inpaint_service.patches import Mask, Patch, grow
from inpaint_service.plans import HdStrategy, Options, Picture, Plan, Unit, plan
from inpaint_service.rings import plane_values
from inpaint_service.strategy import PATTERN
from inpaint_service.windows import Window

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
        rgb: (H, W, 3) uint8; a copy is worked on, and it must stay as it is.
        plan: what `plan` made for this picture.
        engine: the model it was made for.
        load_on_cpu: loads the same model on the CPU, for when the device's memory does not suffice; None for never.
    """

    def __init__(
        self, rgb: Picture, plan: Plan, engine: Inpainter, load_on_cpu: Callable[[], Inpainter] | None = None
    ) -> None:
        self.picture = rgb.copy()
        self._before = rgb
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
        together = len(unit.windows) <= most_in_batch(self._engine)
        for windows in [unit.windows] if together else [(window,) for window in unit.windows]:
            self._repaint_windows(windows, notes)
        return notes

    def _fill(self, unit: Unit, patch: Patch) -> None:
        [window] = unit.windows
        place, own = window.place, patch.within(window.edges)
        if unit.plane is not None:
            new = fills.levels(plane_values(unit.plane, own.shape))
        else:
            new = fills.FILLS[unit.strategy](self.picture[place], own, avoid=self._plan.mask[place])
        if unit.strategy != PATTERN:  # that has its own
            known = self._plan.mask[place] == 0
            new = with_grain(new, self._before[place], own > 0, known, seed=window.edges[:2])
        self._write(window, new, own)

    def _repaint_windows(self, windows: Sequence[Window], notes: list[Note]) -> None:
        windows = [window for window in windows if self._mask_to_do(window)[window.inner].any()]
        if not windows:
            return
        try:
            results = self._call_many(windows) if len(windows) > 1 else [self._call(windows[0])]
        except OutOfMemory as error:
            log.warning("out of memory: %s", error)
            notes.append(Note("out_of_memory", str(error)))
            self._make_do(windows, notes, error)
            return
        for window, new in zip(windows, results, strict=True):
            own = np.zeros(window.shape, np.uint8)
            own[window.inner] = self._mask_to_do(window)[window.inner]
            self._write(window, new, own)

    def _make_do(self, windows: Sequence[Window], notes: list[Note], error: OutOfMemory) -> None:
        """Try again one by one, then in tiles half as large, and at last on the CPU."""
        smaller, words = _smaller(windows, self._to_do.shape)
        if smaller:
            notes.append(Note("split", words))
            for window in smaller:
                self._repaint_windows([window], notes)
            return
        if self._load_on_cpu is None or self._engine.device == "cpu":
            [height, width] = windows[0].shape
            raise EngineUnavailable(f"{self._engine.name}: memory does not suffice for {width} x {height}") from error
        notes.append(Note("cpu", f"{self._engine.name} goes on on the CPU"))
        self._engine = self._load_on_cpu()
        self._repaint_windows(windows, notes)

    def _call_many(self, windows: Sequence[Window]) -> Picture:
        engine = self._engine
        assert isinstance(engine, Batching)
        rgb = np.stack([self.picture[window.place] for window in windows])
        mask = np.stack([self._mask_to_do(window) for window in windows])
        return self._checked(engine.inpaint_many(rgb, mask, self._plan.options.params), rgb.shape)

    def _call(self, window: Window) -> Picture:
        rgb, mask = self.picture[window.place].copy(), self._mask_to_do(window)
        options = self._plan.options
        limit = options.resize_limit_px
        if options.hd_strategy == "Resize" and max(mask.shape) > limit:
            return _called_small(self._engine, rgb, mask, options.params, limit)
        return self._checked(self._engine.inpaint(rgb, mask, options.params), rgb.shape)

    def _checked(self, new: Picture, shape: tuple[int, ...]) -> Picture:
        if new.shape != shape or new.dtype != np.uint8:
            raise Internal(f"{self._engine.name} returned {new.shape} {new.dtype} for {shape} uint8")
        return new

    def _mask_to_do(self, window: Window) -> Mask:
        return np.where(self._to_do[window.place] > 0, np.uint8(255), np.uint8(0))

    def _write(self, window: Window, new: Picture, own: Mask) -> None:
        """Put the new pixels in where `own` is masked, and cross off those that no later tile paints again."""
        chosen = own > 0
        target = self.picture[window.place]
        if self._plan.options.feather_px:
            new = self._feathered(window, new)
        if any(window.shared):
            new = tiles.blended(window, target, new)
        np.copyto(target, new, where=chosen[..., None])
        self._to_do[window.place][window.final][chosen[window.final]] = 0

    def _feathered(self, window: Window, new: Picture) -> Picture:
        feather_px = self._plan.options.feather_px
        edges = grow(window.edges, math.ceil(feather_px) + 1, self._plan.mask.shape)
        share = masks.feather(self._plan.mask[edges[1] : edges[3], edges[0] : edges[2]], feather_px)
        left, top, right, bottom = window.edges
        share = share[top - edges[1] : bottom - edges[1], left - edges[0] : right - edges[0], None]
        old = self._before[window.place]
        return np.rint(old + share * (new.astype(np.float32) - old)).astype(np.uint8)


def _smaller(windows: Sequence[Window], size: tuple[int, ...]) -> tuple[list[Window], str]:
    """Return what to try in place of these windows, and how to tell it; nothing where they are as small as can be."""
    if len(windows) > 1:
        return list(windows), f"{len(windows)} windows one at a time"
    [window] = windows
    bound_px = window.longest_px // 2
    if bound_px < LEAST_TILE_PX:
        return [], ""
    context_px = max(abs(edge - core) for edge, core in zip(window.edges, window.core, strict=True))
    smaller = tiles.cut(window, context_px, (size[0], size[1]), bound_px)
    return smaller, f"split into {len(smaller)} tiles of at most {bound_px} pixels"


def _called_small(engine: Inpainter, rgb: Picture, mask: Mask, params: Params | None, limit_px: int) -> Picture:
    """Scale down, repaint, scale back up: the quick look at a large picture."""
    height, width = mask.shape
    factor = limit_px / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small_mask = np.where(cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 0, np.uint8(255), np.uint8(0))
    small = engine.inpaint(np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)), small_mask, params)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
