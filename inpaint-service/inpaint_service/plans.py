"""What is going to be done to a picture: which piece of the mask by which fill or model, in which units. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import RegionResult
from cleanplate.contract.problems import Internal, Invalid
from inpaint_service import crops, fills
from inpaint_service.crops import CropOptions, Window
from inpaint_service.engines import Inpainter, Params
from inpaint_service.patches import Edges, Mask, Patch, grow, split
from inpaint_service.rings import RING_PX
from inpaint_service.strategy import MEMBRANE, PLANE, Choice, Flatness, choose

HdStrategy = Literal["Auto", "Original", "Resize", "Crop"]
Picture = NDArray[np.uint8]

FILLS: dict[str, Callable[..., Picture]] = {PLANE: fills.plane_fill, MEMBRANE: fills.membrane_fill}


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
        window: what it sees and what it writes.
        patch: what a fill repaints; None for a model, which repaints all that is left to do in the window's core.
        regions: indices of the regions that it serves.
    """

    strategy: str
    window: Window
    patch: Patch | None
    regions: tuple[int, ...]


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
    patches = split(mask, near_px=0 if regions else fills.NEAR_PX)
    choices = [choose(rgb, patch, mask, engine.name, options.flatness) for patch in patches]
    owners = _owners(patches, regions) if regions else list(range(len(patches)))
    served = [tuple(region for region, owner in enumerate(owners) if owner == index) for index in range(len(patches))]
    units = _fill_units(patches, choices, served, mask.shape) + _model_units(
        patches, choices, served, mask.shape, engine, options
    )
    return Plan(mask, tuple(units), tuple(_results(regions, owners, choices)), options)


def _fill_units(
    patches: Sequence[Patch], choices: Sequence[Choice], served: Sequence[tuple[int, ...]], size: tuple[int, int]
) -> list[Unit]:
    return [
        Unit(choice.strategy, Window(grow(patch.edges, RING_PX, size), patch.edges, regions), patch, regions)
        for patch, choice, regions in zip(patches, choices, served, strict=True)
        if choice.strategy in FILLS
    ]


def _model_units(
    patches: Sequence[Patch],
    choices: Sequence[Choice],
    served: Sequence[tuple[int, ...]],
    size: tuple[int, int],
    engine: Inpainter,
    options: Options,
) -> list[Unit]:
    left = [index for index, choice in enumerate(choices) if choice.strategy not in FILLS]
    boxes = [patches[index].edges for index in left]
    units = []
    for window in _windows(boxes, size, engine, options):
        regions = sorted({region for box in window.regions for region in served[left[box]]})
        units.append(Unit(engine.name, window, None, tuple(regions)))
    return units


def _windows(boxes: Sequence[Edges], size: tuple[int, int], engine: Inpainter, options: Options) -> list[Window]:
    if not boxes:
        return []
    if options.hd_strategy == "Auto":
        bound_px = min(options.crops.largest_side_px, engine.largest_side_px or options.crops.largest_side_px)
        return crops.windows(boxes, size, replace(options.crops, largest_side_px=bound_px))
    if options.hd_strategy == "Crop" and max(size) > options.crop_trigger_px:
        return crops.contour_windows(boxes, size, options.crop_margin_px)
    return [crops.whole(boxes, size)]


def _owners(patches: Sequence[Patch], regions: Sequence[Patch]) -> list[int]:
    """Return for each region the index of the patch that holds it: regions that touch share one."""
    edges = np.array([patch.edges for patch in patches]).reshape(-1, 4)
    return [_owner(patches, edges, region) for region in regions]


def _owner(patches: Sequence[Patch], edges: NDArray[np.int_], region: Patch) -> int:
    offset = int(np.argmax(region.pixels > 0))
    y, x = divmod(offset, region.pixels.shape[1])
    y, x = y + region.top, x + region.left
    inside = (edges[:, 0] <= x) & (x < edges[:, 2]) & (edges[:, 1] <= y) & (y < edges[:, 3])
    for index in np.nonzero(inside)[0]:
        patch = patches[index]
        if patch.pixels[y - patch.top, x - patch.left]:
            return int(index)
    raise Internal(f"region {region.name} is not in the mask")


def _results(regions: Sequence[Patch], owners: Sequence[int], choices: Sequence[Choice]) -> list[RegionResult]:
    names = [region.name for region in regions] or [str(index) for index in range(len(choices))]
    return [
        RegionResult(id=name, strategy=choices[owner].strategy, reason=choices[owner].reason)
        for name, owner in zip(names, owners, strict=True)
    ]
