"""A service as replicas and workers on one PostgreSQL, Redis and folder; any of them may be killed at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from backend.cli.ports import free_ports
from tests.conftest import ROOT
from tests.scale.servers import Postgres, Redis, until

PATIENCE_S = 90.0
LEASE_S = 2.0
ENDED = ("completed", "succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Kind:
    """A service: the prefixes of its settings and its address, the kind of its jobs, and where they are looked at."""

    prefix: str
    wire: str
    jobs: str
    path: str


KINDS = {
    "backend": Kind("BACKEND", "BACKEND", "erase", "/api/v1/jobs/{}"),
    "inpaint_service": Kind("INPAINT", "IOPAINT", "inpaint", "/api/v1/task-status/{}"),
    "ocr_service": Kind("OCR", "OCR", "document", "/v1/jobs/{}"),
}


class Crew:
    """Two replicas of a service that leave their jobs to workers; `with` starts and ends them."""

    def __init__(self, service: str, workers: int, postgres: Postgres, redis: Redis, folder: Path, **settings: str):
        self.kind = KINDS[service]
        self.store, self.log = postgres.database(), folder / f"{service}.log"
        given = {"STORE_URL": self.store, "BROKER_URL": redis.url, "WAKE_URL": redis.url, "LEASE_S": str(LEASE_S)}
        given |= {"DATA": str(folder / service), "SLOTS": "1", "ALLOW_ANONYMOUS": "true"}
        self._environ = {f"{self.kind.prefix}_{key}": value for key, value in given.items()}
        self._environ |= {"LOG_LEVEL": "WARNING", **settings}
        self._ports = free_ports("127.0.0.1", 2)
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports]
        self.replicas = [httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) for url in self.urls]
        self._wanted = workers
        self.workers: list[int] = []
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "tests.scale.crew", service]
            self._crew = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def __enter__(self) -> Self:
        for port in self._ports:
            self._start([], port)
        for _ in range(self._wanted):
            self.hire()
        for replica in self.replicas:
            until(lambda replica=replica: _ready(replica), f"see {self.log}", PATIENCE_S)  # type: ignore[misc]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for replica in self.replicas:
            replica.close()
        self._crew.communicate(timeout=PATIENCE_S)

    def hire(self) -> None:
        """Start a worker."""
        self.workers.append(self._start(["worker"], 0))

    def kill(self, number: int) -> None:
        """Kill a worker, as `kill -9` does, and start another."""
        os.kill(self.workers.pop(number), signal.SIGKILL)
        self.hire()

    def says(self, words: str) -> None:
        """Return when one of its processes has logged these words."""
        until(lambda: words in self.log.read_text(), f"{self.log.name} does not say {words!r}", PATIENCE_S)

    def ended(self, job_id: str) -> str:
        """Return how a job ended, as its replicas tell it in turn."""
        end, looks = time.monotonic() + PATIENCE_S, 0
        while True:
            replica = self.replicas[looks % len(self.replicas)]
            answer = replica.get(self.kind.path.format(job_id))
            status = str(answer.json().get("status")) if answer.status_code == 200 else "away"
            if status in ENDED or time.monotonic() > end:
                return status
            looks += 1
            time.sleep(0.1)

    def _start(self, arguments: list[str], port: int) -> int:
        assert self._crew.stdin is not None
        assert self._crew.stdout is not None
        environ = {**self._environ, f"{self.kind.wire}_HOST": "127.0.0.1", f"{self.kind.wire}_PORT": str(port)}
        self._crew.stdin.write(json.dumps({"arguments": arguments, "environ": environ}) + "\n")
        self._crew.stdin.flush()
        return int(self._crew.stdout.readline())


def _ready(replica: httpx.Client) -> bool:
    try:
        return replica.get("/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
