"""An ocr-service that is killed with SIGKILL in the middle of a document: a new one goes on at the next page."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT
from tests.fakes import pages

PATIENCE_S = 60.0
LEASE_S = 0.5


class Service:
    """An ocr-service in a process of its own, whose engine kills it at a page so many times."""

    def __init__(self, folder: Path, page: int, times: int):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._log = folder / "read"
        self._log.touch()
        self._command = [sys.executable, "-m", pages.__name__, str(page), str(times), str(self._log)]
        settings = {"PORT": port, "DATA": folder / "data", "LEASE_S": LEASE_S, "LANES": 1, "PDF_DPI": 72}
        self._environment = {**os.environ, **{f"OCR_{name}": str(value) for name, value in settings.items()}}
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, trust_env=False)

    def start(self) -> None:
        """Return when it is ready."""
        self._process = subprocess.Popen(self._command, cwd=ROOT, env=self._environment)
        end = time.monotonic() + PATIENCE_S
        while not self._ready():
            assert time.monotonic() < end

    def died(self) -> None:
        """Return when its engine has killed it."""
        assert self._process.wait(PATIENCE_S) == -signal.SIGKILL

    def stop(self) -> None:
        """End it, whatever it does."""
        self.http.close()
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def submit(self, data: bytes) -> str:
        """Submit a document and return the path of its job."""
        return str(self.http.post("/v1/documents", files={"file": data}).headers["location"])

    def ended(self, path: str) -> dict[str, Any]:
        """Return the job when it has ended."""
        view: dict[str, Any] = self.http.get(f"{path}?wait={PATIENCE_S:.0f}").json()
        assert view["finished_at"], view
        return view

    def begun(self) -> list[int]:
        """Return the pages that were begun, in order."""
        return [int(page) for page in self._log.read_text().split()]

    def _ready(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return self._process.poll() is not None and pytest.fail("it ended")


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    """A service that dies at a page so many times."""
    made = Service(tmp_path, *request.param)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("service", [(3, 1)], indirect=True)
def test_a_service_that_dies_at_a_page_goes_on_there(service: Service) -> None:
    path = service.submit(pages.document(5))
    service.died()
    service.start()
    assert service.http.get(f"{path}/pages/2").status_code == 200
    view = service.ended(path)
    assert (view["status"], view["failed_pages"], view["attempt"]) == ("succeeded", [], 2)
    assert service.begun() == [1, 2, 3, 3, 4, 5]
    read = service.http.get(f"{path}/result").json()["pages"]
    assert [len(page["regions"]) for page in read] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("service", [(2, 100)], indirect=True)
def test_a_page_that_kills_again_and_again_is_reported_and_the_rest_is_delivered(service: Service) -> None:
    path = service.submit(pages.document(3))
    for _ in range(3):
        service.died()
        service.start()
    view = service.ended(path)
    assert (view["status"], [failed["page"] for failed in view["failed_pages"]]) == ("succeeded", [2])
    assert service.begun() == [1, 2, 2, 2, 3]
