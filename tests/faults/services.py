"""The three real services as processes that may be killed at any moment; the OCR engine is one that reads dark bars."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import numpy as np
from PIL import Image

from backend.cli.launches import BACKEND, INPAINT, NAMES, OCR, environment, python
from backend.cli.ports import free_ports
from tests.conftest import ROOT

PATIENCE_S = 90.0
LEASE_S = 1.0
SETTINGS = {
    "BACKEND_LEASE_S": str(LEASE_S),
    "INPAINT_LEASE_S": str(LEASE_S),
    "BACKEND_PATIENCE_S": "60",
    "BACKEND_CALL_TIMEOUT_S": "20",
    "IOPAINT_MODEL": "auto",
    "OCR_LANES": "1",
    "LOG_LEVEL": "WARNING",
}


class Service:
    """One service: killed and started anew at the same port with the same data, as often as a test likes."""

    def __init__(self, name: str, url: str, environ: Mapping[str, str], log: Path):
        self.name = name
        interpreter = sys.executable if name == OCR else str(python(ROOT, name))
        command = [interpreter, str(Path(__file__).with_name("nursery.py")), name.replace("-", "_")]
        self.http = httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False)
        self.log = log
        with log.open("ab") as file:
            self._nursery = subprocess.Popen(
                command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True
            )

    def restart(self) -> int:
        """Kill it where it runs, and start it; return its process id. It may not listen yet."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write("\n")
        self._nursery.stdin.flush()
        return int(self._nursery.stdout.readline())

    def until_ready(self) -> None:
        """Return when it takes work."""
        end = time.monotonic() + PATIENCE_S
        while not self._ready():
            assert time.monotonic() < end, f"{self.name} does not come up:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it."""
        self.http.close()
        self._nursery.communicate(timeout=PATIENCE_S)

    def _ready(self) -> bool:
        try:
            return self.http.get("/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


class Services:
    """The three of them; `with` starts and ends them."""

    def __init__(self, folder: Path, names: tuple[str, ...] = NAMES, **settings: str):
        ports = dict(zip(NAMES, free_ports("127.0.0.1", len(NAMES)), strict=True))
        urls = {name: f"http://127.0.0.1:{ports[name]}" for name in names}
        self.data = folder
        self.of: dict[str, Service] = {}
        for name in names:
            given = {**os.environ, "PYTHONPATH": str(ROOT) if name == OCR else "", **SETTINGS, **settings}
            told = environment(name, "127.0.0.1", ports[name], urls, folder, given)
            self.of[name] = Service(name, urls[name], told, folder / f"{name}.log")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.__exit__, None, None, None)
            for service in self.of.values():
                service.restart()
            for service in self.of.values():
                service.until_ready()
            stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for service in self.of.values():
            service.stop()

    @property
    def backend(self) -> Service:
        return self.of[BACKEND]

    @property
    def inpaint(self) -> Service:
        return self.of[INPAINT]

    def store(self, name: str) -> str:
        """Return the URL of a service's job store."""
        return f"sqlite:///{self.data / name.removesuffix('-service')}/jobs.db"


def picture(number: int) -> bytes:
    """Return a small picture with a dark bar of its own on a light ground."""
    pixels = np.full((60, 120, 3), 235, np.uint8)
    pixels[:, :, 1] -= 3 * number
    pixels[:, :, 2] -= np.arange(120, dtype=np.uint8)[None, :] // 4
    pixels[20 + number : 30 + number, 20 : 70 + number] = 0
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
