"""The services as child processes: starting them, waiting until they are ready, stopping them.

    with Services(root, data) as running:
        running.urls["backend"]  # ready
        running.kill("ocr-service")
        running.restart("ocr-service")

Everything here blocks; only `start` has to be called from a thread that stays (see `Child`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from backend.cli import failures, launches, probes
from backend.cli.children import Child
from backend.cli.ports import free_ports, is_free

POLL_S = 0.1
START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 15.0

OnChange = Callable[[str, str], None]
"""Is told a service's name and what it is waiting for; at last `probes.READY`."""


class Services:
    """The three services, or some of them, on ports of this machine; `urls` has where each answers."""

    def __init__(
        self,
        root: Path,
        data: Path,
        *,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        names: Sequence[str] = launches.NAMES,
        on_change: OnChange = lambda name, state: None,
        timeout_s: float = START_TIMEOUT_S,
        commands: Mapping[str, Sequence[str]] | None = None,
        environ: Mapping[str, str] | None = None,
    ):
        """Start nothing yet.

        Args:
            root: the folder with the services' folders.
            data: below it each service keeps its data, and `logs/<service>.log`.
            host: the address all listen on.
            ports: by service; 0, or none at all, is a free one.
            names: which services.
            on_change: is told what a start waits for.
            timeout_s: how long a start may take.
            commands: what to run instead of a service, by its name.
            environ: the settings beside ports, data and each other's URLs; by default this process's environment.
        """
        self.host = host
        spare = free_ports(host, len(names))
        self.ports = {name: (ports or {}).get(name) or free for name, free in zip(names, spare, strict=True)}
        self.urls = {name: f"http://{launches.reachable(host)}:{port}" for name, port in self.ports.items()}
        self._on_change = on_change
        self._timeout_s = timeout_s
        self._children: dict[str, Child] = {}
        for name in names:
            told = launches.environment(
                name, host, self.ports[name], self.urls, data, os.environ if environ is None else environ
            )
            command = (commands or {}).get(name) or launches.command(root, name)
            self._children[name] = Child(command, told, data.absolute() / "logs" / f"{name}.log")

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *names: str) -> None:
        """Start the named services, or all; `wait_ready` tells when they are.

        Raises:
            PortInUse: somebody else listens on a service's port; nothing was started.
        """
        for name in names or self._children:
            if not self._children[name].running and not is_free(self.host, self.ports[name]):
                raise failures.PortInUse(name, self.host, self.ports[name])
        for name in names or self._children:
            if not self._children[name].running:
                self._children[name].start()

    def wait_ready(self, *names: str) -> None:
        """Return when the named services, or all, are ready.

        Raises:
            ServiceDied: one has ended.
            NotReady: it took too long.
        """
        waiting = dict.fromkeys(names or self._children, "")
        deadline = time.monotonic() + self._timeout_s
        while waiting:
            for name, before in list(waiting.items()):
                self.check()
                waiting[name] = state = probes.readiness(self.urls[name])
                if state != before:
                    self._on_change(name, state)
                if state == probes.READY:
                    del waiting[name]
            if waiting and time.monotonic() > deadline:
                raise failures.NotReady(waiting, self._timeout_s)
            if waiting:
                time.sleep(POLL_S)

    def check(self) -> None:
        """Raise ServiceDied when a service has ended that was not stopped here."""
        for name, child in self._children.items():
            if child.code is not None:
                raise failures.ServiceDied(name, child.code, child.tail(), child.log)

    def stop(self, *names: str) -> None:
        """Ask the named services, or all, to end, and wait for it; one that does not end in time is killed."""
        children = [self._children[name] for name in names or self._children]
        try:
            for child in children:
                child.terminate()
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while any(child.running for child in children) and time.monotonic() < deadline:
                time.sleep(POLL_S / 2)
        finally:
            for child in children:
                child.end()

    def kill(self, name: str) -> None:
        """End a service at once, as `kill -9` does."""
        self._children[name].end()

    def restart(self, name: str) -> None:
        """End a service unless that was done, start it with the same port and data, wait until it is ready."""
        self.stop(name)
        self.start(name)
        self.wait_ready(name)

    def pid(self, name: str) -> int | None:
        """Return a service's process id."""
        return self._children[name].pid

    def log(self, name: str) -> Path:
        """Return where a service's log is."""
        return self._children[name].log
