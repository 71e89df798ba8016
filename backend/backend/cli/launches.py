"""How each service is started: its command, and what its environment tells it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from backend.cli.failures import NotInstalled

OCR, INPAINT, BACKEND = NAMES = ("ocr-service", "inpaint-service", "backend")
PORTS = {OCR: 8082, INPAINT: 8081, BACKEND: 8000}

_ADDRESS = {OCR: "OCR", INPAINT: "IOPAINT", BACKEND: "BACKEND"}
_PREFIX = {OCR: "OCR", INPAINT: "INPAINT", BACKEND: "BACKEND"}
_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def python(root: Path, name: str) -> Path:
    """Return where the interpreter of a service's environment is."""
    return root / name / ".venv" / "bin" / "python"


def command(root: Path, name: str) -> list[str]:
    """Return the command that runs a service.

    Raises:
        NotInstalled: its environment is missing.
    """
    interpreter = python(root, name)
    if not interpreter.exists():
        raise NotInstalled(name, interpreter)
    return [str(interpreter), "-P", "-m", name.replace("-", "_")]


def environment(
    name: str, host: str, port: int, urls: Mapping[str, str], data: Path, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a service.

    Args:
        name: the service.
        host: where it listens.
        port: likewise.
        urls: where the services answer that are started with it.
        data: the folder of all services' data.
        environ: what it is told besides.
    """
    told = {
        f"{_ADDRESS[name]}_HOST": host,
        f"{_ADDRESS[name]}_PORT": str(port),
        f"{_PREFIX[name]}_DATA": str(data.absolute() / name.removesuffix("-service")),
    }
    if name == BACKEND:
        for other in (service for service in (OCR, INPAINT) if service in urls):
            prefix = _PREFIX[other]
            told[f"BACKEND_{prefix}_URL"] = urls[other]
            key = environ.get(f"{prefix}_API_KEYS", "").split(",")[0].strip()
            told[f"BACKEND_{prefix}_KEY"] = environ.get(f"BACKEND_{prefix}_KEY") or key
    return {**environ, **told}


def for_one_user() -> dict[str, str]:
    """Return this process's environment for services of one user: unless it says otherwise, a picture has all cores."""
    return {"OCR_THREADS": "0", **os.environ}


def reachable(host: str) -> str:
    """Return the host part of the URL under which this machine reaches a service that listens there."""
    return _ANY.get(host) or (f"[{host}]" if ":" in host else host)
