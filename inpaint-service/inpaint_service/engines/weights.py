"""Letting IOPaint's classes find their weights in local files, and round where they truncate."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from cleanplate.contract.problems import EngineUnusable
from inpaint_service.engines.devices import memory_watched

# The part whose output IOPaint truncates to bytes, and half a gray level in that output's units.
TRUNCATED = {
    "ldm": ("cond_stage_model_decode", 1 / 255),
    "zits": ("inpaint", 0.5 / 255),
    "manga": ("inpaintor_model", 0.5 / 127.5),
}


@contextmanager
def local_files(kind: type, files: Mapping[str, Path]) -> Iterator[None]:
    """Let IOPaint's class find its weights in `files` while it is built, whatever address it asks for."""
    loaders = {"load_jit_model": _load_jit(files), "load_model": _load_state(files)}
    with replaced(cast("Any", sys.modules[kind.__module__]), loaders):
        yield


@contextmanager
def replaced(module: Any, new: Mapping[str, Any]) -> Iterator[None]:
    """Give names of a module, or class, another meaning for a while. The caller sees to it that only one does."""
    originals = {name: getattr(module, name) for name in new if hasattr(module, name)}
    for name in originals:
        setattr(module, name, new[name])
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(module, name, original)


def round_instead(name: str, model: Any) -> None:
    """Lift the output that IOPaint is going to truncate by half a gray level."""
    if name not in TRUNCATED:
        return
    part, half = TRUNCATED[name]
    network = getattr(model, part)
    setattr(model, part, lambda *inputs: network(*inputs) + half)


def _load_jit(files: Mapping[str, Path]) -> Callable[[str, Any, str], Any]:
    def load_jit_model(url: str, device: Any, md5: str) -> Any:
        path = _file(url, files)
        try:
            with memory_watched(f"loading {path}", str(device)):
                return torch.jit.load(str(path), map_location="cpu").to(device).eval()
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineUnusable(f"{path} does not load: {error}") from error

    return load_jit_model


def _load_state(files: Mapping[str, Path]) -> Callable[[Any, str, Any, str], Any]:
    def load_model(model: Any, url: str, device: Any, md5: str) -> Any:
        path = _file(url, files)
        try:
            with memory_watched(f"loading {path}", str(device)):
                model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
        except (RuntimeError, ValueError, OSError, KeyError, EOFError, pickle.UnpicklingError) as error:
            raise EngineUnusable(f"{path} does not load: {error}") from error
        return model.to(device).eval()

    return load_model


def _file(url: str, files: Mapping[str, Path]) -> Path:
    """Return the local file for an address; a model's only file goes by any name."""
    name = url.rsplit("/", 1)[-1]
    if name not in files and len(files) > 1:
        raise EngineUnusable(f"IOPaint asks for {name}, which is none of {', '.join(files)}")
    return files[name] if name in files else next(iter(files.values()))
