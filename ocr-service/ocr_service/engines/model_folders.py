"""A model as PaddlePaddle publishes it: a folder of its name, with `inference.yml` beside the network's own files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

Runtime = Literal["onnxruntime", "paddle_static"]
META, ONNX = "inference.yml", "inference.onnx"
FILES: Mapping[Runtime, tuple[str, ...]] = MappingProxyType(
    {"onnxruntime": (META, ONNX), "paddle_static": (META, "inference.json", "inference.pdiparams")}
)
"""By what runs a model, in paddlex's words, its files; OpenVINO reads those of ONNX Runtime."""


def holds(folder: Path, runtime: Runtime) -> bool:
    """Say whether a folder has a model for this runtime."""
    return all((folder / file).is_file() for file in FILES[runtime])


def runtime(folder: Path) -> Runtime | None:
    """Return what runs the model in a folder; None if there is none."""
    return next((name for name in FILES if holds(folder, name)), None)
