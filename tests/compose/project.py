"""A compose project of its own name and port: the containers as a user runs them, and what Docker knows of them."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from backend.cli.ports import free_ports

SERVICES = ("ocr-service", "inpaint-service", "backend")
START_TIMEOUT_S = 300.0
BUILD_TIMEOUT_S = 3600.0
POLL_S = 0.2


class Project:
    """Brings the services up on entering, and removes them with their volumes on leaving."""

    def __init__(
        self,
        root: Path,
        name: str,
        settings: Mapping[str, str] | None = None,
        *,
        overlays: Sequence[str] = (),
        services: Sequence[str] = (),
        scale: Mapping[str, int] | None = None,
    ):
        """Start nothing yet.

        Args:
            root: the checkout.
            name: the project's.
            settings: what a user would write into .env.
            overlays: the files on top of compose.yaml.
            services: what is started, with all it depends on; none: everything.
            scale: of which services there shall be how many containers.
        """
        self.root = root
        self.name = name
        self._files = [f"--file={root / 'compose' / file}" for file in ("compose.yaml", *overlays)]
        self._services, self._scale = services, dict(scale or {})
        port = free_ports("127.0.0.1", 1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self._environ = {**os.environ, **(settings or {}), "BACKEND_PORT": str(port)}

    def __enter__(self) -> Self:
        try:
            self.up(*[f"--scale={service}={count}" for service, count in self._scale.items()], *self._services)
            self.wait_healthy()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def compose(self, *arguments: str, timeout_s: float = START_TIMEOUT_S) -> str:
        """Run a compose command of this project."""
        command = [*compose(), *self._files, "--project-name", self.name, *arguments]
        return output(*command, env=self._environ, limit_s=timeout_s)

    def up(self, *arguments: str) -> None:
        self.compose("up", "--detach", "--no-build", *arguments)

    def build(self) -> None:
        self.compose("build", timeout_s=BUILD_TIMEOUT_S)

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "30")

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Return what Docker knows of a service's containers."""
        label = f"label=com.docker.compose.service={service}"
        ids = output("docker", "ps", "--all", "--quiet", "--filter", label, "--filter", self._label).split()
        assert len(ids) == self._scale.get(service, 1), f"{service} has {len(ids)} containers"
        found: list[dict[str, Any]] = json.loads(output("docker", "inspect", *ids))
        return found

    def container(self, service: str) -> dict[str, Any]:
        """Return what Docker knows of a service's first container."""
        return self.containers(service)[0]

    def leftovers(self) -> list[str]:
        """Return the containers, volumes and networks of this project."""
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return [line for kind in kinds for line in output("docker", *kind, "--filter", self._label).splitlines()[1:]]

    def address(self, service: str) -> str:
        """Return where a service's container is reached from this machine, whether it publishes a port or not."""
        networks: dict[str, Any] = self.container(service)["NetworkSettings"]["Networks"]
        return str(networks[f"{self.name}_inside"]["IPAddress"])

    def inside(self, service: str, program: str) -> str:
        """Run a Python program in a service's container."""
        return output("docker", "exec", self.container(service)["Id"], "python", "-Ic", program)

    def kill(self, container: Mapping[str, Any]) -> None:
        """End the container's process as the kernel would; after `docker kill`, Docker would not start it again."""
        program = f"import os; os.kill({container['State']['Pid']}, 9)"
        output("docker", "run", "--rm", "--pid", "host", container["Image"], "python", "-Ic", program)

    def wait_healthy(self) -> None:
        """Return when Docker says of each service that it is healthy and the published port answers."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while unhealthy := [name for name in (*SERVICES, *self._scale) if not self.healthy(name)]:
            assert time.monotonic() < deadline, self.compose("logs", "--tail", "20", *unhealthy)
            time.sleep(POLL_S)
        assert requests.get(f"{self.url}/readyz", timeout=10).status_code == 200

    def healthy(self, service: str) -> bool:
        return all(map(is_healthy, self.containers(service)))

    @property
    def _label(self) -> str:
        return f"label=com.docker.compose.project={self.name}"


def is_healthy(container: Mapping[str, Any]) -> bool:
    return bool(container["State"].get("Health", {}).get("Status") == "healthy")


@functools.cache
def compose() -> tuple[str, ...]:
    """Return the compose command of this machine. Raises FileNotFoundError when there is none, or no daemon."""
    for command in (("docker", "compose"), ("docker-compose",)):
        try:
            output(*command, "version")
            output("docker", "info")
        except (FileNotFoundError, AssertionError):
            continue
        return command
    raise FileNotFoundError("neither `docker compose` nor `docker-compose` works here")


def output(*command: str, env: Mapping[str, str] | None = None, limit_s: float = 120.0) -> str:
    """Return what a command prints; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=limit_s, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout
