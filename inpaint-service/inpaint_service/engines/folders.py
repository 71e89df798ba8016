"""Where the folder of a diffusion model is: in the folder of models or in Hugging Face's cache. Pure but for reading.

Looked for in this order, with `org/name` the model's name: `<models>/org/name`, `<models>/models--org--name`, then
Hugging Face's cache, where a model is `models--org--name/snapshots/<revision>`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from inpaint_service.engines.catalog import DIFFUSION

OPTIONAL = ("safety_checker", "feature_extractor", "image_encoder")


def hub_cache() -> Path:
    """Return where Hugging Face's library keeps what it downloads, as its environment variables say."""
    told = os.environ
    if "HF_HUB_CACHE" in told:
        return Path(told["HF_HUB_CACHE"])
    home = told.get("HF_HOME") or Path(told.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(home) / "hub"


def find(name: str, models: Path | None = None) -> tuple[Path | None, str]:
    """Return the folder of a diffusion model, or None and in words what is missing.

    Args:
        name: the model's name in the catalog.
        models: the folder of models; only the cache is searched when left out.
    """
    reason = ""
    for folder in _candidates(name, models):
        missing = _missing(name, folder)
        if not missing:
            return folder, ""
        reason = reason or f"{folder} is incomplete: it lacks {', '.join(missing)}"
    if reason:
        return None, reason
    place = models / name if models else hub_cache() / _cached(name)
    into = f" --local-dir {place}" if models else ""
    return None, f"{place} is missing: `huggingface-cli download {name}{into}` fetches it"


def _candidates(name: str, models: Path | None) -> Iterator[Path]:
    if models is not None and (models / name).is_dir():
        yield models / name
    for cache in (models, hub_cache()):
        if cache is not None:
            yield from _snapshots(cache / _cached(name))


def _cached(name: str) -> str:
    return f"models--{name.replace('/', '--')}"


def _snapshots(repository: Path) -> Iterator[Path]:
    """Yield the snapshots of a cached repository: that of its main branch first, then the newest."""
    snapshots = repository / "snapshots"
    main = repository / "refs" / "main"
    if main.is_file() and (snapshots / main.read_text().strip()).is_dir():
        yield snapshots / main.read_text().strip()
    if snapshots.is_dir():
        yield from sorted(snapshots.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)


def _missing(name: str, folder: Path) -> list[str]:
    """Return what the folder lacks: files of the catalog, and parts that its index names."""
    missing = [file for file in DIFFUSION[name].files if not (folder / file).is_file()]
    index = folder / "model_index.json"
    return missing or [part for part in _parts(index) if not any((folder / part).glob("*"))]


def _parts(index: Path) -> list[str]:
    try:
        told = json.loads(index.read_text()) if index.is_file() else {}
    except ValueError:
        return [f"a readable {index.name}"]
    parts = [part for part, kind in told.items() if isinstance(kind, list) and kind and kind[0] is not None]
    return [part for part in parts if part not in OPTIONAL]
