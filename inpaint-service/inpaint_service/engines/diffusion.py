"""IOPaint's diffusion models behind the engines' Protocol, from folders that are there; nothing is downloaded.

What IOPaint's classes ask for by name they get from the model's folder. A seed belongs to one call: IOPaint sets the
generator of the whole process, which two calls at once would share.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from cleanplate.contract.problems import EngineUnusable, Invalid
from inpaint_service.engines import Device, Economy, Params
from inpaint_service.engines.catalog import DIFFUSION
from inpaint_service.engines.devices import memory_watched, resolve_device
from inpaint_service.engines.iopaint import IopaintModel, building
from inpaint_service.engines.offload import Offload
from inpaint_service.engines.precision import check_precision
from inpaint_service.engines.weights import replaced

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import diffusers
    from iopaint.model import models as by_name
    from iopaint.model.sd import SD
    from iopaint.model.sdxl import SDXL
    from iopaint.schema import InpaintRequest, ModelInfo, ModelType
    from loguru import logger

log = logging.getLogger(__name__)

FAMILIES = {"SD": (SD, ModelType.DIFFUSERS_SD_INPAINT), "SDXL": (SDXL, ModelType.DIFFUSERS_SDXL)}
REMOVE = {"powerpaint_task": "object-remove"}
WARM_UP_STEPS = 2  # the least that SDXL takes


class Seeded:
    """A pipeline whose calls draw from a generator of their own, and whose safety checker refuses aloud."""

    def __init__(self, pipeline: Any) -> None:
        vars(self)["pipeline"] = pipeline
        vars(self)["seed"] = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pipeline, name)

    def __setattr__(self, name: str, value: Any) -> None:
        target = self.__dict__ if name in self.__dict__ else vars(self.pipeline)
        if target is self.__dict__:
            target[name] = value
        else:
            setattr(self.pipeline, name, value)

    def __call__(self, **fields: Any) -> Any:
        """Run the pipeline. Raises Invalid when its safety checker finds the result unfit, which it paints black."""
        result = self.pipeline(**{**fields, "generator": torch.Generator().manual_seed(self.seed)})
        if any(getattr(result, "nsfw_content_detected", None) or ()):
            raise Invalid(
                "the model's safety checker refused the result; another seed or prompt may do", field="prompt"
            )
        return result


class DiffusionModel(IopaintModel):
    """A diffusion model; `forward` fills the mask with what the prompt says, with nothing in particular without one."""

    def warm_up(self) -> None:
        """Call it with few steps. Raises EngineUnusable when its parts do not fit together."""
        gray, mask = np.full((64, 64, 3), 128, np.uint8), np.full((64, 64), 255, np.uint8)
        try:
            self.inpaint(gray, mask, Params({"sd_steps": WARM_UP_STEPS, "sd_seed": 0}))
        except Invalid as problem:
            raise EngineUnusable(problem.detail) from problem

    def request(self, params: Params | None) -> InpaintRequest:
        """Return IOPaint's request; a model that knows tasks removes what is masked unless told what to paint."""
        fields = dict(params.fields) if params else {}
        return super().request(Params(fields if fields.get("prompt") else {**REMOVE, **fields}))

    def forward(self, image: NDArray[np.uint8], mask: NDArray[np.uint8], request: InpaintRequest) -> NDArray[np.uint8]:
        """Call the pipeline. Raises Invalid when it cannot work with these parameters."""
        if isinstance(self.model.model, Seeded):
            self.model.model.seed = request.sd_seed
        try:
            return super().forward(image, mask, request)
        except ValueError as error:
            raise Invalid(f"{self.name} cannot work with these parameters: {error}") from error


def load_pipeline(name: str, device: Device, folder: Path | None, economy: Economy) -> DiffusionModel:
    """Build one of IOPaint's diffusion models from its folder.

    Args:
        name: its name in the catalog.
        device: where to put it; `auto` decides.
        folder: what `folders.find` found.
        economy: how it saves time and memory.

    Raises:
        EngineUnusable: the folder does not load, or the device is not there or cannot calculate as asked.
        OutOfMemory: memory did not suffice for it.
    """
    where = resolve_device(device, name)
    check_precision(economy.precision, where)
    diffusers.utils.logging.disable_progress_bar()
    logger.disable("iopaint")
    if folder is None:
        raise EngineUnusable(f"{name}: its folder is not there")
    with building, _told(name, folder), memory_watched(f"loading {name}", where), _offline():
        model = _build(name, folder, where, economy)
    if isinstance(model.model, diffusers.DiffusionPipeline):
        model.model.set_progress_bar_config(disable=True)
        model.model = Seeded(model.model)
    log.info("loaded %s from %s on %s", name, folder, where)
    return DiffusionModel(name, model, where, economy, Offload((), where))


def _build(name: str, folder: Path, where: str, economy: Economy) -> Any:
    family, type_ = FAMILIES.get(DIFFUSION[name].family, (by_name.get(name), ModelType.DIFFUSERS_OTHER))
    local = type(family.__name__, (family,), {"name": str(folder), "download": staticmethod(_files(name, folder))})
    told: dict[str, Any] = {"pipe_components": {}}
    if issubclass(family, SDXL):
        told["pipe_components"]["vae"] = diffusers.AutoencoderKL.from_pretrained(folder, subfolder="vae")
    return local(
        torch.device(where),
        model_info=ModelInfo(name=name, path=str(folder), model_type=type_),
        no_half=True,  # what half means is `precision`
        low_mem=economy.low_mem,
        cpu_offload=economy.cpu_offload,
        disable_nsfw=not (folder / "safety_checker").is_dir(),
        sd_cpu_textencoder=False,
        local_files_only=True,
        **told,
    )


def _files(name: str, folder: Path) -> Any:
    """Return what stands in for a class's own download: the paths of the catalog's files."""
    return lambda local_files_only=True: tuple(str(folder / file) for file in DIFFUSION[name].files)


@contextmanager
def _told(name: str, folder: Path) -> Iterator[None]:
    """Say of everything that goes wrong in a foreign folder which folder it was."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, AttributeError, SystemExit) as error:
        raise EngineUnusable(f"{name}: {folder} does not load: {error}") from error


@contextmanager
def _offline() -> Iterator[None]:
    """Let pipelines come from local folders only, in the variant that is there, whichever IOPaint asks for."""
    original = diffusers.DiffusionPipeline.from_pretrained.__func__

    def from_pretrained(cls: Any, pretrained_model_name_or_path: str, **fields: Any) -> Any:
        variant = fields.get("variant")
        if variant and not any(Path(pretrained_model_name_or_path).glob(f"*/*.{variant}.*")):
            fields["variant"] = None
        return original(cls, pretrained_model_name_or_path, **{**fields, "local_files_only": True})

    new: Any = classmethod(cast("Any", from_pretrained))
    with replaced(diffusers.DiffusionPipeline, {"from_pretrained": new}):
        yield
