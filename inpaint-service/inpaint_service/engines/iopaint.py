"""IOPaint's model classes behind the engines' Protocol: the one module that imports torch and IOPaint.

Of IOPaint it uses the networks and their pre- and postprocessing, not its crop strategies, its downloads, its way to
truncate colors, nor its habit of deleting a file of weights that does not load and ending the process.
"""

from __future__ import annotations

import logging
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from cleanplate.contract.problems import EngineUnavailable, Invalid
from inpaint_service.engines import Device, OutOfMemory, Params
from inpaint_service.engines.catalog import IOPAINT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its imports use what torch and diffusers have deprecated
    import torch
    from iopaint import const
    from iopaint import model as families
    from iopaint.schema import HDStrategy, InpaintRequest
    from loguru import logger as iopaint_log

iopaint_log.disable("iopaint")  # it writes a line for every call

log = logging.getLogger(__name__)

TORCHSCRIPT = ("lama", "anime-lama")
MEMORY_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")
WARM_UP_PX = 64

# The part whose output IOPaint truncates to bytes, and half a gray level in that output's units.
TRUNCATED = {
    "ldm": ("cond_stage_model_decode", 1 / 255),
    "zits": ("inpaint", 0.5 / 255),
    "manga": ("inpaintor_model", 0.5 / 127.5),
}

_loading = threading.Lock()


class IopaintModel:
    """One of IOPaint's models.

    Args:
        name: its name in the catalog.
        model: the instance of IOPaint's class.
        device: where it is.
    """

    calls_at_once = 1

    def __init__(self, name: str, model: Any, device: str) -> None:
        self.name = name
        self.device = device
        self.modulus = int(model.pad_mod)
        self.largest_side_px = IOPAINT[name].largest_side_px
        self._model = model

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
            return self._padded(rgb, mask, _request(params))
        scale = limit / max(height, width)
        small = max(1, round(width * scale)), max(1, round(height * scale))
        inner = cv2.resize(rgb, small, interpolation=cv2.INTER_AREA)
        inner_mask = np.where(cv2.resize(mask, small, interpolation=cv2.INTER_AREA) > 0, 255, 0).astype(np.uint8)
        result = self._padded(cast("NDArray[np.uint8]", inner), inner_mask, _request(params))
        return cast("NDArray[np.uint8]", cv2.resize(result, (width, height), interpolation=cv2.INTER_CUBIC))

    def close(self) -> None:
        """Drop the model and what the device keeps cached for it."""
        self._model = None
        _empty_cache(self.device)

    def _padded(self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], request: InpaintRequest) -> NDArray[np.uint8]:
        height, width = mask.shape
        rows, columns = self._padded_size(height, width)
        padding = ((0, rows - height), (0, columns - width))
        image = np.pad(rgb, (*padding, (0, 0)), mode="symmetric")
        return self._forward(image, np.pad(mask, padding, mode="symmetric"), request)[:height, :width]

    def _padded_size(self, height: int, width: int) -> tuple[int, int]:
        least = self._model.min_size or 1
        rows, columns = (-(-max(side, least) // self.modulus) * self.modulus for side in (height, width))
        return (max(rows, columns),) * 2 if self._model.pad_to_square else (rows, columns)

    def _forward(self, image: NDArray[np.uint8], mask: NDArray[np.uint8], request: InpaintRequest) -> NDArray[np.uint8]:
        try:
            with torch.no_grad(), torch.jit.optimized_execution(False):
                if self.name in TORCHSCRIPT:
                    return _torchscript(self._model.model, image, mask, self.device)
                bgr = self._model.forward(image, mask[:, :, None], request)
                return np.ascontiguousarray(bgr[:, :, ::-1])
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, MemoryError) or any(words in str(error).lower() for words in MEMORY_WORDS):
                _empty_cache(self.device)
                raise OutOfMemory(f"{self.name} on {self.device}: {image.shape[1]} x {image.shape[0]}") from error
            raise


def load_model(name: str, device: Device, files: Mapping[str, Path], threads: int | None = None) -> IopaintModel:
    """Build one of IOPaint's models from local files.

    Args:
        name: its name in the catalog.
        device: where to put it; `auto` decides.
        files: the path of each of its files, by IOPaint's name for the file.
        threads: how many threads torch may use, for the whole process.

    Raises:
        EngineUnavailable: a file does not load, or the device is not there.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    where = resolve_device(device, name)
    kind = families.models[name]
    with _loading, _local_files(kind, files):
        model = kind(torch.device(where))
    _round_instead(name, model)
    log.info("loaded %s on %s", name, where)
    return IopaintModel(name, model, where)


def resolve_device(device: Device, name: str = "") -> str:
    """Return the device that is meant.

    Raises:
        EngineUnavailable: the one asked for is not there.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available() and name not in const.MPS_UNSUPPORT_MODELS,
        "cpu": True,
    }
    if device == "auto":
        return "cpu" if name == "cv2" else next(kind for kind, there in present.items() if there)
    if not present[device]:
        raise EngineUnavailable(f"device {device} is not available to {name or 'torch'} here")
    return device


def _request(params: Params | None) -> InpaintRequest:
    fields = dict(params.fields) if params else {}
    try:
        return InpaintRequest(**{**fields, "hd_strategy": HDStrategy.ORIGINAL})
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(first["msg"], field=".".join(str(part) for part in first["loc"])) from error


def _torchscript(
    network: Callable[[Any, Any], Any], image: NDArray[np.uint8], mask: NDArray[np.uint8], device: str
) -> NDArray[np.uint8]:
    """Call LaMa's network: picture (1, 3, h, w) in 0..1 and mask (1, 1, h, w) of 0 and 1 in, picture out."""
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(device)[None].float() / 255
    masked = torch.from_numpy((mask > 0).astype(np.float32)).to(device)[None, None]
    result = (network(pixels, masked)[0].float() * 255).round().clamp(0, 255).to(torch.uint8)
    return cast("NDArray[np.uint8]", result.permute(1, 2, 0).contiguous().cpu().numpy())


def _round_instead(name: str, model: Any) -> None:
    """Lift the output that IOPaint is going to truncate by half a gray level."""
    if name not in TRUNCATED:
        return
    part, half = TRUNCATED[name]
    network = getattr(model, part)
    setattr(model, part, lambda *inputs: network(*inputs) + half)


@contextmanager
def _local_files(kind: type, files: Mapping[str, Path]) -> Iterator[None]:
    """Let IOPaint's class find its weights in `files` while it is built, whatever address it asks for."""
    module = cast("Any", sys.modules[kind.__module__])
    loaders = {"load_jit_model": _load_jit(files), "load_model": _load_state(files)}
    originals = {name: getattr(module, name) for name in loaders if hasattr(module, name)}
    for name in originals:
        setattr(module, name, loaders[name])
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(module, name, original)


def _load_jit(files: Mapping[str, Path]) -> Callable[[str, Any, str], Any]:
    def load_jit_model(url: str, device: Any, md5: str) -> Any:
        path = _file(url, files)
        try:
            return torch.jit.load(str(path), map_location="cpu").to(device).eval()
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineUnavailable(f"{path} does not load: {error}") from error

    return load_jit_model


def _load_state(files: Mapping[str, Path]) -> Callable[[Any, str, Any, str], Any]:
    def load_model(model: Any, url: str, device: Any, md5: str) -> Any:
        path = _file(url, files)
        try:
            model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
        except (RuntimeError, ValueError, OSError, KeyError, EOFError, pickle.UnpicklingError) as error:
            raise EngineUnavailable(f"{path} does not load: {error}") from error
        return model.to(device).eval()

    return load_model


def _file(url: str, files: Mapping[str, Path]) -> Path:
    """Return the local file for an address; a model's only file goes by any name."""
    name = url.rsplit("/", 1)[-1]
    if name not in files and len(files) > 1:
        raise EngineUnavailable(f"IOPaint asks for {name}, which is none of {', '.join(files)}")
    return files[name] if name in files else next(iter(files.values()))


def _empty_cache(device: str) -> None:
    if device == "cuda":
        torch.cuda.empty_cache()
