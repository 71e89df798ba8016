"""One order from bytes to bytes: decode, build the mask, plan, repaint unit by unit, encode. Blocking."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import RegionResult
from cleanplate.contract.problems import Malformed, TimedOut
from cleanplate.runtime import traces
from cleanplate.runtime.cores import cores
from cleanplate.runtime.images import Encoded, Picture, PictureLimits, decode, encode
from inpaint_service import fills, masks, repaint
from inpaint_service.copies import Model
from inpaint_service.crops import CropOptions
from inpaint_service.engines import Params as EngineParams
from inpaint_service.engines.catalog import DIFFUSION
from inpaint_service.heeded import without_effect
from inpaint_service.masks import DILATION, MaskOptions
from inpaint_service.models import Models
from inpaint_service.patches import Patch, paint
from inpaint_service.recent import Patches, RecentPatches
from inpaint_service.repaint import Canvas, Note, Options, Unit
from inpaint_service.strokes import StrokeNetwork
from inpaint_service.tracing import Tracer
from inpaint_service.wire import Order, Params

STEP_S = 0.1
SEEDS = 2**31
BEHIND = 128


@dataclass(frozen=True)
class Outcome:
    """What came of an order; of a diffusion model also the seed, and the parameters that it did not heed."""

    encoded: Encoded
    size: tuple[int, int]
    regions: tuple[RegionResult, ...]
    area_px: int
    model: str
    mask_mode: str
    seconds: float
    frames: int
    seed: int | None = None
    ignored: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(eq=False)
class Work:
    """An order on its way; the units of its plan are done in their order, `done` of them are."""

    picture: Picture
    params: Params
    mask: NDArray[np.uint8]
    engine: Model
    canvas: Canvas
    plan: repaint.Plan
    started: float
    done: int = 0
    notes: list[Note] = field(default_factory=list)

    @property
    def left(self) -> tuple[Unit, ...]:
        """The units that are to be done."""
        return self.plan.units[self.done :]

    def step(self, step_s: float = STEP_S) -> list[Note]:
        """Repaint the model's next unit, or fills for about `step_s` seconds; return what happened on the way.

        A fill takes milliseconds, as does telling somebody that it is done.
        """
        notes: list[Note] = []
        began, some = time.perf_counter(), list(takewhile(lambda unit: unit.patch is not None, self.left))
        with traces.span("repaint", {"unit": self.done + 1, "strategy": self.left[0].strategy}) as span:
            for unit in some or self.left[:1]:
                notes += self.canvas.repaint(unit)
                self.done += 1
                if time.perf_counter() - began >= step_s:
                    break
            span.attributes["unit.last"] = self.done
        self.notes += notes
        return notes

    def finish(self) -> Outcome:
        """Encode the picture."""
        diffusion = self.engine.name in DIFFUSION
        encoded = encode(self.picture, self.canvas.picture, self.params.output_format, self.params.quality)
        return Outcome(
            encoded=encoded,
            size=self.picture.size,
            regions=self.plan.results,
            area_px=masks.area_px(self.mask),
            model=self.engine.name,
            mask_mode=self.params.mask_mode,
            seconds=time.perf_counter() - self.started,
            frames=self.picture.frames,
            seed=self.params.sd_seed if diffusion else None,
            ignored=without_effect(self.params, self.engine.name),
            notes=tuple(self.notes),
        )


class Eraser:
    """Carries out orders with the models there are."""

    def __init__(self, models: Models, limits: PictureLimits, crops: CropOptions):
        self._models = models
        self._limits = limits
        self._crops = crops
        self._strokes = StrokeNetwork()
        self._recent = RecentPatches()
        self._lines = ThreadPoolExecutor(cores(), "lines")

    def open(self, order: Order) -> Picture:
        """Decode the order's picture. Raises Malformed, TooLarge, UnsupportedMedia, Invalid."""
        return decode(order.image, self._limits)

    def mask(self, order: Order, picture: Picture) -> tuple[NDArray[np.uint8], tuple[Patch, ...]]:
        """Return the order's mask, (H, W) uint8, and that of each region.

        Raises:
            RegionOutside: a region does not touch the picture.
            Malformed: the mask cannot be read, or has another size.
        """
        if order.mask is None:
            patches = self._patches(order, lambda: picture)
            return paint(patches.of, patches.size), patches.of
        given = decode(order.mask, self._limits, field="mask")
        if given.size != picture.size:
            sizes = f"{given.width} x {given.height}, the picture {picture.width} x {picture.height}"
            raise Malformed(f"the mask has {sizes} pixels", field="mask")
        return masks.mask_from_image(given.rgb), ()

    def mask_of_regions(self, order: Order) -> NDArray[np.uint8]:
        """Return the mask of the order's regions; the picture is decoded only where they are not remembered.

        Raises what `open` and `mask` raise.
        """
        patches = self._patches(order, lambda: self.open(order))
        return paint(patches.of, patches.size)

    def _patches(self, order: Order, opened: Callable[[], Picture]) -> Patches:
        return self._recent.get(order.regions_digest(), lambda: self._traced(order, opened()))

    def _traced(self, order: Order, picture: Picture) -> Patches:
        wish = order.params.mask_dilation
        options = MaskOptions(order.params.mask_mode, DILATION if wish is None else wish, order.params.feather)
        tracer = Tracer(_visible(picture), self._strokes.ink)
        traced = masks.region_patches(order.regions, picture.size, options, tracer, self._lines.map)
        return Patches(traced, picture.size)

    def prepare(self, order: Order, picture: Picture, started: float) -> Work:
        """Build the mask and plan the steps; see `mask` for what is raised, and EngineUnavailable, Invalid."""
        mask, patches = self.mask(order, picture)
        engine = self._models.get(order.params.model)
        params = _seeded(order.params) if engine.name in DIFFUSION else order.params
        options = self._options(params)
        plan = repaint.plan(picture.rgb, mask, engine, options, patches)
        canvas = Canvas(picture.rgb, plan, engine, lambda: self._models.get(engine.name, "cpu"))
        return Work(_without_cutout(picture, mask), params, mask, engine, canvas, plan, started)

    def erase(self, order: Order, stopped: Callable[[], bool] = lambda: False) -> Outcome:
        """Carry out an order in one go; `stopped` is asked between steps. Raises TimedOut when it says so."""
        started = time.perf_counter()
        work = self.prepare(order, self.open(order), started)
        while work.left:
            if stopped():
                raise TimedOut("nobody waits for the answer any more")
            work.step()
        return work.finish()

    def _options(self, params: Params) -> Options:
        return Options(
            hd_strategy=params.hd_strategy,
            crop_trigger_px=params.hd_strategy_crop_trigger_size,
            crop_margin_px=params.hd_strategy_crop_margin,
            resize_limit_px=params.hd_strategy_resize_limit,
            feather_px=params.feather,
            crops=self._crops,
            params=EngineParams(params.to_model()),
        )


def _seeded(params: Params) -> Params:
    """Draw the random seed here, so that the picture can be had again."""
    return params if params.sd_seed >= 0 else params.model_copy(update={"sd_seed": secrets.randbelow(SEEDS)})


def _visible(picture: Picture) -> NDArray[np.uint8]:
    """Return the picture over gray where it is transparent: letters may be drawn by their transparency alone."""
    if picture.alpha is None:
        return picture.rgb
    share = picture.alpha[:, :, None].astype(np.float32) / 255
    shown = BEHIND + share * (picture.rgb.astype(np.float32) - BEHIND)
    return np.asarray(np.rint(shown), np.uint8)


def _without_cutout(picture: Picture, mask: NDArray[np.uint8]) -> Picture:
    """Repaint the transparency under the mask too, where it is not uniform: there it may be what draws the letters."""
    if picture.alpha is None or not (masked := picture.alpha[mask > 0]).size or masked.min() == masked.max():
        return picture
    levels = np.ascontiguousarray(np.broadcast_to(picture.alpha[:, :, None], picture.rgb.shape))
    return replace(picture, alpha=fills.membrane_fill(levels, mask)[:, :, 0])
