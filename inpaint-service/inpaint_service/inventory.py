"""Every model and every file of it as JSON, for who cannot import this package: `python -m inpaint_service.inventory`.

The settings in the environment decide where files belong. Nothing is loaded and nothing is fetched.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from inpaint_service.engines import DEFAULT_WEIGHTS_DIR, NAMES, folders, usable
from inpaint_service.engines.catalog import DIFFUSION, HUB, IOPAINT
from inpaint_service.settings import InpaintSettings
from inpaint_service.strategy import EMBEDDED


def inventory(models: Path | None, own: str, weights: Path | None) -> list[dict[str, Any]]:
    """Return what is known of every model.

    Args:
        models: the folder of models; None for the caches of IOPaint and Hugging Face.
        own: the service's model.
        weights: a file of its own for that.
    """
    return [_model(name, models, weights if name == own else None) for name in NAMES]


def _model(name: str, models: Path | None, weights: Path | None) -> dict[str, Any]:
    able, reason = usable(name, weights_dir=models, weights=weights)
    told = {"name": name, "usable": able, "reason": reason, "license": "", "page": "", "where": "", "files": []}
    if name in EMBEDDED:
        return {**told, "license": "part of cleanplate"}
    if name in DIFFUSION:
        found, _ = folders.find(name, models)
        page = f"{HUB}/{name}"
        return {**told, "license": DIFFUSION[name].license, "page": page, "where": str(found or "")}
    files = _files(name, models or DEFAULT_WEIGHTS_DIR)
    where = str(weights or models or DEFAULT_WEIGHTS_DIR) if files else ""
    return {**told, "license": IOPAINT[name].license, "where": where, "files": files}


def _files(name: str, folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "name": item.file,
            "url": item.url,
            "md5": item.md5,
            "sha256": item.sha256,
            "size_bytes": item.size_bytes,
            "path": str(folder / item.file),
        }
        for item in IOPAINT[name].weights
    ]


if __name__ == "__main__":
    settings = InpaintSettings()
    sys.stdout.write(json.dumps(inventory(settings.model_dir, settings.model, settings.weights)) + "\n")
