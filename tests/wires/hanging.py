"""A service of its own process, whose engine never returns."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from cleanplate.runtime.endings import FAILED
from tests.wires.serving import PATIENCE_S


@contextmanager
def hanging(service: str, root: Path, data: Path) -> Iterator[httpx.Client]:
    """Run a program with a port and a data folder, give a client when it is ready, and see it end as one that hung."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    with subprocess.Popen([sys.executable, "-c", service, str(port), str(data)], cwd=root, env=told) as process:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            transport=httpx.HTTPTransport(retries=10),
            timeout=PATIENCE_S,
            trust_env=False,
        ) as client:
            while client.get("/readyz").status_code != 200:
                pass
            yield client
        assert process.wait(PATIENCE_S) == FAILED
