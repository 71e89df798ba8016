"""The models that repaint a crop: what the service asks of one, which there are, and whether one can be used here.

Nothing here imports torch or IOPaint; `engines.iopaint` and `engines.diffusion` do, when a model of their kind is
loaded.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.problems import EngineUnusable
from inpaint_service.engines import folders
from inpaint_service.engines.catalog import DIFFUSION, IOPAINT
from inpaint_service.strategy import EMBEDDED

NAMES = (*EMBEDDED, *IOPAINT, *DIFFUSION)
DEFAULT_WEIGHTS_DIR = Path.home() / ".cache" / "torch" / "hub" / "checkpoints"

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["fp32", "bf16"]


class OutOfMemory(Exception):
    """The device's memory did not suffice for a crop; a smaller one may fit."""


class PrecisionUnsupported(EngineUnusable):
    """The device cannot calculate in the precision that the settings ask for."""


@dataclass(frozen=True)
class Economy:
    """How a model saves time and memory.

    Attributes:
        precision: what its matrices are multiplied in.
        low_mem: give the device's cache back after each call.
        cpu_offload: keep the weights in main memory and lend them to the device for each call.
        batch: how many crops of one shape go into a call of a model that can; 0: as many as the device is best at.
    """

    precision: Precision = "fp32"
    low_mem: bool = False
    cpu_offload: bool = False
    batch: int = 0


@dataclass(frozen=True)
class Params:
    """What a request says to the model beside the picture: fields of IOPaint's `InpaintRequest`, by name."""

    fields: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


class Inpainter(Protocol):
    """A model that repaints one crop at a time.

    Attributes:
        name: its name in the catalog.
        device: `cpu`, `cuda` or `mps`.
        modulus: its input's sides are multiples of this; it pads by itself.
        calls_at_once: how many threads may call `inpaint` at the same time.
        largest_side_px: what it can take without scaling down; None for no such limit.
    """

    name: str
    device: str
    modulus: int
    calls_at_once: int
    largest_side_px: int | None

    def warm_up(self) -> None:
        """Do once what makes the first call slow."""

    def inpaint(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        """Repaint one crop.

        Args:
            rgb: (h, w, 3) uint8, RGB; not written to.
            mask: (h, w) uint8, 255 where to repaint, 0 elsewhere; not written to.
            params: the request's fields for the model.

        Returns:
            (h, w, 3) uint8, RGB; only what is masked counts.

        Raises:
            OutOfMemory: the device's memory did not suffice.
        """

    def close(self) -> None:
        """Give back its memory."""


@runtime_checkable
class Batching(Inpainter, Protocol):
    """A model that can also repaint several crops in one call.

    Attributes:
        most_in_batch: how many at most; with 1 it is not called so.
    """

    most_in_batch: int

    def inpaint_many(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        """Repaint crops of one shape: as `inpaint`, each array with one axis more, (n, h, w, 3) and (n, h, w)."""


def most_in_batch(engine: Inpainter) -> int:
    """Return how many crops of one shape the model takes in a call."""
    return engine.most_in_batch if isinstance(engine, Batching) else 1


def usable(name: str, *, weights_dir: Path | None = None, weights: Path | None = None) -> tuple[bool, str]:
    """Say whether a model can be loaded here, and if not, what is missing and how to get it.

    Args:
        name: a model's name.
        weights_dir: the folder of the weights; IOPaint's own, and Hugging Face's cache, when left out.
        weights: a file to use in place of a single-file model's.
    """
    if name in EMBEDDED:
        return True, "embedded"
    if name not in NAMES:
        return False, f"there is no model of this name; there are {', '.join(NAMES)}"
    if name in DIFFUSION and DIFFUSION[name].unfit:
        return False, DIFFUSION[name].unfit
    missing = (
        folders.find(name, weights_dir)[1]
        if name in DIFFUSION
        else _missing_weights(name, weights_dir or DEFAULT_WEIGHTS_DIR, weights)
    )
    if missing:
        return False, missing
    for package in ("torch", "iopaint"):
        if importlib.util.find_spec(package) is None:
            return False, f"the package {package} is not installed"
    return True, "weights found" if name in DIFFUSION or IOPAINT[name].weights else "needs no weights"


def load(
    name: str,
    *,
    device: Device = "auto",
    weights_dir: Path | None = None,
    weights: Path | None = None,
    threads: int | None = None,
    economy: Economy | None = None,
) -> Inpainter:
    """Load a model; nothing is downloaded.

    Args:
        name: a model's name.
        device: `auto` takes the first that is there of cuda, mps and cpu.
        weights_dir: the folder of the weights; IOPaint's own when left out.
        weights: a file to use in place of a single-file model's.
        threads: how many threads torch may use for one call, the same for all models; torch decides when left out.
        economy: how it saves time and memory.

    Raises:
        EngineUnusable: it cannot be used here; the reason says why.
        OutOfMemory: memory did not suffice for it.
    """
    able, reason = usable(name, weights_dir=weights_dir, weights=weights)
    if not able:
        raise EngineUnusable(f"{name}: {reason}")
    if name in EMBEDDED:
        from inpaint_service.engines.embedded import Embedded

        return Embedded(name)
    os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when Hugging Face's library is first imported
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    if name in DIFFUSION:
        from inpaint_service.engines.diffusion import load_pipeline

        return load_pipeline(name, device, folders.find(name, weights_dir)[0], economy or Economy())
    from inpaint_service.engines.iopaint import load_model

    return load_model(name, device, weights_files(name, weights_dir, weights), economy or Economy())


def weights_files(name: str, weights_dir: Path | None = None, weights: Path | None = None) -> dict[str, Path]:
    """Return where each of the model's files is expected, by its name."""
    files = [item.file for item in IOPAINT[name].weights]
    if weights is not None and len(files) == 1:
        return {files[0]: weights}
    return {file: (weights_dir or DEFAULT_WEIGHTS_DIR) / file for file in files}


def _missing_weights(name: str, weights_dir: Path, weights: Path | None) -> str:
    places = weights_files(name, weights_dir, weights)
    missing = [item for item in IOPAINT[name].weights if not places[item.file].is_file()]
    if not missing:
        return ""
    return "; ".join(f"{places[item.file]} is missing: download {item.url} (md5 {item.md5}) to it" for item in missing)
