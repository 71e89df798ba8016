"""What is going to be done to a picture: which piece of the mask by which fill or model, in which units. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import RegionResult
from cleanplate.contract.problems import Invalid
from inpaint_service import crops, fills
from inpaint_service.batches import batched
from inpaint_service.crops import CropOptions
from inpaint_service.engines import Inpainter, Params, most_in_batch
from inpaint_service.patches import Edges, Mask, Patch, grow, split, united
from inpaint_service.strategy import Choice, Flatness, choose
from inpaint_service.windows import Window

HdStrategy = Literal["Auto", "Original", "Resize", "Crop"]
Picture = NDArray[np.uint8]

BATCH_STEP_PX = 32
"""Sides of windows that may go into a batch are multiples of this, so that more of them have the same shape."""


@dataclass(frozen=True)
class Options:
    """How a picture is repainted.

    Attributes:
        hd_strategy: what the model gets to see: `Auto` the windows of the crop plan; `Original` the whole picture;
            `Resize` the whole picture scaled down to `resize_limit_px`; `Crop` each contour by itself with
            `crop_margin_px` around it, in pictures over `crop_trigger_px`. The last three are IOPaint's. Fills
            work the same under all of them.
        crop_trigger_px: longer side from which `Crop` crops; smaller pictures are seen whole.
        crop_margin_px: what `Crop` shows around a contour.
        resize_limit_px: longer side to which `Resize` scales.
        feather_px: width of the soft rim inside the mask.
        crops: the crop plan's numbers.
        flatness: what a flat ring is.
        params: the request's fields for the model.
    """

    hd_strategy: HdStrategy = "Auto"
    crop_trigger_px: int = 1280
    crop_margin_px: int = 32
    resize_limit_px: int = 1280
    feather_px: float = 0.0
    crops: CropOptions = field(default_factory=CropOptions)
    flatness: Flatness = field(default_factory=Flatness)
    params: Params | None = None


@dataclass(frozen=True, eq=False)
class Unit:
    """A piece of work that is done as a whole.

    Attributes:
        strategy: the fill or model that does it.
        windows: what it sees and what it writes: one window, or several of one shape that go to the model together.
        patch: what a fill repaints; None for a model, which repaints all that is left to do in the windows' cores.
        regions: indices of the regions that it serves.
        plane: of a plane's ring, as `Choice` has it; None where it is still to be fitted.
    """

    strategy: str
    windows: tuple[Window, ...]
    patch: Patch | None
    regions: tuple[int, ...]
    plane: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """What is going to be done.

    Attributes:
        mask: (H, W) uint8, everything that is repainted.
        units: in the order of work.
        results: per region what repaints it and why; `clean` is for others to find out.
        options: as planned with.
    """

    mask: Mask
    units: tuple[Unit, ...]
    results: tuple[RegionResult, ...]
    options: Options


def plan(
    rgb: Picture, mask: Mask, engine: Inpainter, options: Options | None = None, regions: Sequence[Patch] = ()
) -> Plan:
    """Decide what repaints each piece of the mask, and in which units.

    Args:
        rgb: (H, W, 3) uint8.
        mask: (H, W) uint8, not 0 where to repaint.
        engine: the model that is loaded, or an embedded one.
        options: see there.
        regions: the mask of each region by itself, as `masks.region_patches` gives them; where there are none, the
            pieces of the mask are the regions, numbered from the top.

    Raises:
        Invalid: picture and mask differ in size.
    """
    options = options or Options()
    if rgb.shape[:2] != mask.shape:
        sizes = f"{mask.shape[1]} x {mask.shape[0]}, the picture {rgb.shape[1]} x {rgb.shape[0]}"
        raise Invalid(f"the mask is {sizes} pixels", field="mask")
    patches, served = _pieces(mask, regions)
    choices = [choose(rgb, patch, mask, engine.name, options.flatness) for patch in patches]
    units = _fill_units(patches, choices, served, mask.shape) + _model_units(
        patches, choices, served, mask.shape, engine, options
    )
    return Plan(mask, tuple(units), tuple(_results(regions, served, choices)), options)


def _pieces(mask: Mask, regions: Sequence[Patch]) -> tuple[list[Patch], list[tuple[int, ...]]]:
    """Return what is repainted as one, and the regions that each serves: those that touch share one."""
    if not regions:
        patches = split(mask, near_px=fills.NEAR_PX)
        return patches, [(index,) for index in range(len(patches))]
    pieces = united(regions, mask)
    return [patch for patch, _ in pieces], [served for _, served in pieces]


def _fill_units(
    patches: Sequence[Patch], choices: Sequence[Choice], served: Sequence[tuple[int, ...]], size: tuple[int, int]
) -> list[Unit]:
    return [
        Unit(choice.strategy, (_around(patch, choice, size),), patch, regions, choice.plane)
        for patch, choice, regions in zip(patches, choices, served, strict=True)
        if choice.strategy in fills.FILLS
    ]


def _around(patch: Patch, choice: Choice, size: tuple[int, int]) -> Window:
    return Window(grow(patch.edges, fills.AROUND_PX[choice.strategy], size), patch.edges, ())


def _model_units(
    patches: Sequence[Patch],
    choices: Sequence[Choice],
    served: Sequence[tuple[int, ...]],
    size: tuple[int, int],
    engine: Inpainter,
    options: Options,
) -> list[Unit]:
    left = [index for index, choice in enumerate(choices) if choice.strategy not in fills.FILLS]
    boxes = [patches[index].edges for index in left]
    units = []
    for windows in batched(_windows(boxes, size, engine, options), most_in_batch(engine)):
        regions = sorted({region for window in windows for box in window.regions for region in served[left[box]]})
        units.append(Unit(engine.name, windows, None, tuple(regions)))
    return units


def _windows(boxes: Sequence[Edges], size: tuple[int, int], engine: Inpainter, options: Options) -> list[Window]:
    if not boxes:
        return []
    if options.hd_strategy == "Auto":
        bound_px = min(options.crops.largest_side_px, engine.largest_side_px or options.crops.largest_side_px)
        step_px = BATCH_STEP_PX if most_in_batch(engine) > 1 else engine.modulus
        return crops.windows(boxes, size, replace(options.crops, largest_side_px=bound_px, step_px=step_px))
    if options.hd_strategy == "Crop" and max(size) > options.crop_trigger_px:
        return crops.contour_windows(boxes, size, options.crop_margin_px)
    return [crops.whole(boxes, size)]


def _results(
    regions: Sequence[Patch], served: Sequence[tuple[int, ...]], choices: Sequence[Choice]
) -> list[RegionResult]:
    of_region = {region: choice for choice, indices in zip(choices, served, strict=True) for region in indices}
    made = [(region.name, region.kind) for region in regions] or [(str(index), None) for index in range(len(choices))]
    return [
        RegionResult(id=name, strategy=of_region[index].strategy, reason=of_region[index].reason, mask_mode=kind)
        for index, (name, kind) in enumerate(made)
    ]
