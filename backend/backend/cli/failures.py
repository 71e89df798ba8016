"""What can go wrong with the services as child processes, in words for whoever started them.

ServicesFailed
├── NotInstalled  a service has no environment to run in
├── PortInUse     somebody else listens on its port
├── ServiceDied   it has ended by itself
└── NotReady      it was not ready in time
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path


class ServicesFailed(Exception):
    """The services do not run; the message says which and why."""


class NotInstalled(ServicesFailed):
    """A service has no environment to run in."""

    def __init__(self, name: str, python: Path):
        super().__init__(f"the {name} is not installed: {python} is missing; `./cleanplate setup` makes it")


class PortInUse(ServicesFailed):
    """Somebody else listens on a service's port."""

    def __init__(self, name: str, host: str, port: int):
        option = f"--{name.removesuffix('-service')}-port"
        super().__init__(f"port {port} of {host}, meant for the {name}, is in use; choose another with {option}")


class ServiceDied(ServicesFailed):
    """A service has ended by itself."""

    def __init__(self, name: str, code: int, tail: str, log: Path):
        how = f"killed by {_signal(-code)}" if code < 0 else f"exit code {code}"
        super().__init__(f"the {name} has ended ({how}); the end of {log}:\n{tail or '(empty)'}")
        self.name = name


class NotReady(ServicesFailed):
    """A service was not ready in time."""

    def __init__(self, states: Mapping[str, str], timeout_s: float):
        waiting = ", ".join(f"{name} ({state})" for name, state in states.items())
        super().__init__(f"not ready after {timeout_s:.0f} s: {waiting}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
