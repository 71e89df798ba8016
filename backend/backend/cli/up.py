"""`cleanplate up`: the three services, until Ctrl-C or until one of them ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from backend.cli.failures import ServicesFailed
from backend.cli.launches import for_one_user
from backend.cli.services import Services
from backend.cli.terminal import Terminal, shown

LOOK_EVERY_S = 0.25


def up(root: Path, data: Path, host: str, ports: Mapping[str, int], terminal: Terminal) -> int:
    """Run the services; return the exit code: 0 when told to stop, 1 when one could not start or has ended."""
    try:
        with ExitStack() as stack:
            with terminal.startup() as tell:
                services = stack.enter_context(
                    Services(root, data, host=host, ports=ports, on_change=tell, environ=for_one_user())
                )
            for name, url in services.urls.items():
                body = {"service": name, "url": url, "log": str(services.log(name))}
                terminal.result(f"{name:<16} {url:<28} log: {shown(services.log(name))}", body)
            terminal.note("Ctrl-C stops them")
            return _watch(services, terminal)
    except ServicesFailed as failure:
        terminal.fault(str(failure))
        return 1
    except KeyboardInterrupt:
        return 0


def _watch(services: Services, terminal: Terminal) -> int:
    try:
        while True:
            services.check()
            time.sleep(LOOK_EVERY_S)
    except ServicesFailed as failure:
        terminal.fault(f"{failure}\nstopping the other services")
        return 1
    except KeyboardInterrupt:
        terminal.note("stopping the services")
        return 0
