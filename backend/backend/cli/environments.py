"""Looking into a service's virtual environment with its own interpreter: versions, engines, models."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.cli import launches

TIMEOUT_S = 120.0

_PACKAGES = """
import importlib.metadata, json, platform
packages = {package.name: package.version for package in importlib.metadata.distributions()}
print(json.dumps({"python": platform.python_version(), "packages": packages}))
"""
_OCR = """
import json
from ocr_service.engines import ENGINES, usable
from ocr_service.settings import OcrSettings
settings = OcrSettings()
options = settings.engine_options()
print(json.dumps([[name, *usable(name, options), name == settings.engine] for name in ENGINES]))
"""
_INPAINT = """
import json
from inpaint_service.models import ModelChoice, Models
from inpaint_service.settings import InpaintSettings
settings = InpaintSettings()
choice = ModelChoice(settings.model, settings.device, folder=settings.model_dir, weights=settings.weights)
models = Models(choice).usable()
own = settings.model
print(json.dumps([[one["name"], one["usable"], one["reason"], one["name"] == own] for one in models]))
"""
_BACKEND = "import json, backend.app; print(json.dumps([]))"
_ENGINES = {launches.OCR: _OCR, launches.INPAINT: _INPAINT, launches.BACKEND: _BACKEND}


@dataclass(frozen=True)
class Engine:
    """An OCR engine or an inpainting model; `own` is the one that the service uses when none is named."""

    name: str
    usable: bool
    reason: str
    own: bool


@dataclass(frozen=True)
class Environment:
    """What was found in a service's environment; with an `error` nothing else was."""

    python: str = ""
    packages: int = 0
    differences: tuple[str, ...] = ()
    engines: tuple[Engine, ...] = ()
    error: str = ""


def inspect(root: Path, name: str) -> Environment:
    """Look into the environment of a service. Blocking."""
    python = launches.python(root, name)
    if not python.exists():
        return Environment(error=f"is not installed: {python} is missing; `./cleanplate setup` makes it")
    try:
        found = _run(python, _PACKAGES)
        engines = _run(python, _ENGINES[name])
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Environment(error=f"does not work: {_last_line(error)}; `./cleanplate setup` makes it anew")
    lock = root / name / "requirements.lock"
    locked = locked_versions(lock.read_text()) if lock.is_file() else {}
    seen = tuple(Engine(*engine) for engine in engines)
    return Environment(found["python"], len(locked), differences(locked, found["packages"]), seen)


def locked_versions(lock: str) -> dict[str, str]:
    """Return the version of every package that a requirements file pins for all systems, by its normalized name."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)[ \t]*\\?$", lock, re.MULTILINE)
    return {_normalized(name): version for name, version in pins}


def differences(locked: dict[str, str], installed: dict[str, str]) -> tuple[str, ...]:
    """Return in words where what is installed is not what is locked.

    What is installed beyond it is no difference, nor is a build's label, such as `+cpu`, that the lock leaves out.
    """
    versions = {_normalized(name): version for name, version in installed.items()}
    return tuple(
        f"{name} {versions.get(name, 'missing')} (locked: {version})"
        for name, version in locked.items()
        if version not in (versions.get(name), versions.get(name, "").partition("+")[0])
    )


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _run(python: Path, snippet: str) -> Any:
    """Return what the snippet prints last, as JSON. Raises OSError, ValueError, SubprocessError."""
    done = subprocess.run(
        [str(python), "-P", "-c", snippet], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    return json.loads(done.stdout.splitlines()[-1] if done.stdout.strip() else "")


def _last_line(error: Exception) -> str:
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
    lines = str(said or error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
