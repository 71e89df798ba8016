"""The models of the two services that have any, and their files, asked of each service's own interpreter."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from backend.cli import launches
from backend.cli.failures import NotInstalled, ServicesFailed

TIMEOUT_S = 120.0
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ModelFile:
    """A file of weights: where it is to be had, where it belongs, and what tells it from others."""

    name: str
    url: str
    path: str
    md5: str
    sha256: str | None = None
    size_bytes: int | None = None

    def difference(self, path: Path) -> str:
        """Return in what a file differs from this one, "" where it does not. Blocking. Raises OSError."""
        if self.size_bytes is not None and path.stat().st_size != self.size_bytes:
            return f"has {path.stat().st_size} bytes instead of {self.size_bytes}"
        wanted = {"md5": self.md5, "sha256": self.sha256}
        digests = {kind: hashlib.new(kind, usedforsecurity=False) for kind, value in wanted.items() if value}
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                for digest in digests.values():
                    digest.update(chunk)
        wrong = [kind for kind, digest in digests.items() if digest.hexdigest() != wanted[kind]]
        return f"has the {wrong[0]} {digests[wrong[0]].hexdigest()} instead of {wanted[wrong[0]]}" if wrong else ""


@dataclass(frozen=True)
class KnownModel:
    """A model; `reason` says why it is usable or not, `page` leads to where a diffusion or OCR model is published."""

    name: str
    usable: bool
    reason: str
    license: str
    page: str
    where: str
    files: tuple[ModelFile, ...] = ()

    @property
    def size_bytes(self) -> int | None:
        """What its files take, or will, as far as that is known; None where it is of none."""
        sizes = [size for size in map(_size, self.files) if size is not None]
        return sum(sizes) if sizes else None


def inventory(root: Path) -> list[KnownModel]:
    """Return all models. Blocking.

    Raises:
        ServicesFailed: a service is not installed, or its settings are wrong.
    """
    return [model for service in (launches.INPAINT, launches.OCR) for model in _of(root, service)]


def _of(root: Path, service: str) -> list[KnownModel]:
    python = launches.python(root, service)
    if not python.exists():
        raise NotInstalled(service, python)
    command = [str(python), "-P", "-m", f"{service.replace('-', '_')}.inventory"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        told = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        raise ServicesFailed(f"the {service} does not tell its models: {error.stderr.strip()}") from error
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ServicesFailed(f"the {service} does not tell its models: {error}") from error
    return [KnownModel(**{**model, "files": tuple(ModelFile(**file) for file in model["files"])}) for model in told]


def _size(file: ModelFile) -> int | None:
    path = Path(file.path)
    return path.stat().st_size if path.is_file() else file.size_bytes
