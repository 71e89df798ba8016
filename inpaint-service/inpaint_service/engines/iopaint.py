"""IOPaint's model classes behind the engines' Protocol.

Of IOPaint it uses the networks and their pre- and postprocessing, not its crop strategies, its downloads, its way to
truncate colors, nor its habit of deleting a file of weights that does not load and ending the process.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from cleanplate.contract.problems import Invalid
from inpaint_service.engines import Device, Economy, Params
from inpaint_service.engines.catalog import IOPAINT
from inpaint_service.engines.devices import empty_cache, memory_watched, resolve_device
from inpaint_service.engines.frozen import frozen
from inpaint_service.engines.offload import Offload
from inpaint_service.engines.precision import arithmetic, check_precision
from inpaint_service.engines.weights import local_files, round_instead

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its imports use what torch and diffusers have deprecated
    import torch
    from iopaint import model as families
    from iopaint.schema import HDStrategy, InpaintRequest
    from loguru import logger as iopaint_log

iopaint_log.disable("iopaint")  # it writes a line for every call
log = logging.getLogger(__name__)

TORCHSCRIPT = ("lama", "anime-lama")
WARM_UP_PX = 64
OPENCV_CALLS = 64  # OpenCV's algorithms keep nothing between calls
BATCH = {"cuda": 4}
"""Crops in a call where the settings do not say; 1 on other devices. With big-LaMa's network on one core two and four
crops of 64 x 64 to 128 x 768 take 0.81 to 1.09 of the time of as many calls, 0.96 on average: less than the sides that
are rounded up to equal shapes cost. What four gain on a GPU was not measured: a crop of that size does not fill one."""

building = threading.Lock()
"""Held while a class of IOPaint's is built: for that time modules of the process are changed."""


class IopaintModel:
    """One of IOPaint's models.

    Args:
        name: its name in the catalog.
        model: the instance of IOPaint's class.
        device: where it works.
        economy: how it saves time and memory.
        offload: what moves it to its device and back.
    """

    def __init__(self, name: str, model: Any, device: str, economy: Economy, offload: Offload) -> None:
        self.name = name
        self.device = device
        self.modulus = int(model.pad_mod)
        self.calls_at_once = OPENCV_CALLS if name == "cv2" else 1
        self.most_in_batch = _most_in_batch(device, economy) if name in TORCHSCRIPT else 1
        self.largest_side_px = IOPAINT[name].largest_side_px if name in IOPAINT else None
        self.model = model
        self._economy = economy
        self._offload = offload

    def warm_up(self) -> None:
        """Repaint a small gray picture."""
        gray = np.full((WARM_UP_PX, WARM_UP_PX, 3), 128, np.uint8)
        mask = np.zeros((WARM_UP_PX, WARM_UP_PX), np.uint8)
        mask[16:48, 16:48] = 255
        self.inpaint(gray, mask)

    def inpaint(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        """Repaint a crop; one over `largest_side_px` is scaled down to it and back, as IOPaint does.

        Raises:
            OutOfMemory: the device's memory did not suffice.
            Invalid: a field of `params` is malformed.
        """
        height, width = mask.shape
        limit = self.largest_side_px
        if limit is None or max(height, width) <= limit:
            return self._alone(rgb, mask, params)
        scale = limit / max(height, width)
        small = max(1, round(width * scale)), max(1, round(height * scale))
        inner = cv2.resize(rgb, small, interpolation=cv2.INTER_AREA)
        inner_mask = np.where(cv2.resize(mask, small, interpolation=cv2.INTER_AREA) > 0, 255, 0).astype(np.uint8)
        result = self._alone(cast("NDArray[np.uint8]", inner), inner_mask, params)
        return cast("NDArray[np.uint8]", cv2.resize(result, (width, height), interpolation=cv2.INTER_CUBIC))

    def inpaint_many(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        """Repaint crops of one shape, none over `largest_side_px`; raises as `inpaint`."""
        count, height, width = mask.shape
        rows, columns = self._padded_size(height, width)
        padding = ((0, 0), (0, rows - height), (0, columns - width))
        images, masks = np.pad(rgb, (*padding, (0, 0)), mode="symmetric"), np.pad(mask, padding, mode="symmetric")
        request, what = self.request(params), f"{self.name}: {count} x {columns} x {rows}"
        with memory_watched(what, self.device), torch.no_grad(), self._offload.lent():
            result = self._forward_all(images, masks, request)[:, :height, :width]
        if self._economy.low_mem:
            empty_cache(self.device)
        return result

    def close(self) -> None:
        """Drop the model and what the device keeps cached for it."""
        self.model = None
        self._offload = Offload((), self.device)
        empty_cache(self.device)

    def request(self, params: Params | None) -> InpaintRequest:
        """Return IOPaint's request for these parameters. Raises Invalid."""
        fields = dict(params.fields) if params else {}
        try:
            return InpaintRequest(**{**fields, "hd_strategy": HDStrategy.ORIGINAL})
        except ValidationError as error:
            first = error.errors()[0]
            raise Invalid(first["msg"], field=".".join(str(part) for part in first["loc"])) from error

    def forward(self, image: NDArray[np.uint8], mask: NDArray[np.uint8], request: InpaintRequest) -> NDArray[np.uint8]:
        """Call the network with a picture of a size that it can take; both RGB."""
        with torch.jit.optimized_execution(False), arithmetic(self._economy.precision, self.device):
            bgr = self.model.forward(image, mask[:, :, None], request)
            return np.ascontiguousarray(bgr[:, :, ::-1])

    def _alone(self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None) -> NDArray[np.uint8]:
        result: NDArray[np.uint8] = self.inpaint_many(rgb[None], mask[None], params)[0]
        return result

    def _forward_all(
        self, images: NDArray[np.uint8], masks: NDArray[np.uint8], request: InpaintRequest
    ) -> NDArray[np.uint8]:
        if self.name not in TORCHSCRIPT:
            return np.stack([self.forward(*pair, request) for pair in zip(images, masks, strict=True)])
        with torch.jit.optimized_execution(False), arithmetic(self._economy.precision, self.device):
            return _torchscript(self.model.model, images, masks, self.device)

    def _padded_size(self, height: int, width: int) -> tuple[int, int]:
        least = self.model.min_size or 1
        rows, columns = (-(-max(side, least) // self.modulus) * self.modulus for side in (height, width))
        return (max(rows, columns),) * 2 if self.model.pad_to_square else (rows, columns)


def load_model(name: str, device: Device, files: Mapping[str, Path], economy: Economy) -> IopaintModel:
    """Build one of IOPaint's models that erase, from local files.

    Args:
        name: its name in the catalog.
        device: where to put it; `auto` decides.
        files: the path of each of its files, by IOPaint's name for the file.
        economy: how it saves time and memory.

    Raises:
        EngineUnusable: a file does not load, or the device is not there or cannot calculate as asked.
        OutOfMemory: memory did not suffice for it.
    """
    where = resolve_device(device, name)
    check_precision(economy.precision, where)
    kind = families.models[name]
    with building, local_files(kind, files), memory_watched(f"loading {name}", where):
        model = kind(torch.device(where), no_half=True)  # what half means is `precision`
        if name in TORCHSCRIPT and where == "cpu":
            model.model = frozen(model.model)
    moved = economy.cpu_offload and where != "cpu"
    parts = [part for part in vars(model).values() if isinstance(part, torch.nn.Module)] if moved else []
    round_instead(name, model)
    log.info("loaded %s on %s", name, where)
    return IopaintModel(name, model, where, economy, Offload(parts, where))


def _most_in_batch(device: str, economy: Economy) -> int:
    return economy.batch or (1 if economy.low_mem else BATCH.get(device, 1))


def _torchscript(
    network: Callable[[Any, Any], Any], images: NDArray[np.uint8], masks: NDArray[np.uint8], device: str
) -> NDArray[np.uint8]:
    """Call LaMa's network: pictures (n, 3, h, w) in 0..1 and masks (n, 1, h, w) of 0 and 1 in, pictures out."""
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).to(device).float() / 255
    masked = torch.from_numpy((masks > 0).astype(np.float32)).to(device)[:, None]
    result = (network(pixels, masked).float() * 255).round().clamp(0, 255).to(torch.uint8)
    return cast("NDArray[np.uint8]", result.permute(0, 2, 3, 1).contiguous().cpu().numpy())
