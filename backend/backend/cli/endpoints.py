"""The service that a command talks to: one that runs, or one that is started for as long as it is needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.cli import probes
from backend.cli.failures import ServicesFailed
from backend.cli.launches import BACKEND, NAMES, OCR, PORTS, for_one_user
from backend.cli.services import Services
from backend.cli.terminal import Terminal

NEEDED = {BACKEND: NAMES, OCR: (OCR,)}


@dataclass(frozen=True)
class Endpoint:
    """Where a service answers; `check` raises ServicesFailed when one that was started for this has ended."""

    url: str
    check: Callable[[], None] = lambda: None


@contextmanager
def endpoint(name: str, given: str | None, root: Path, terminal: Terminal) -> Iterator[Endpoint]:
    """Yield where a service answers.

    Args:
        name: the service.
        given: its URL; None is the one on this machine's usual port, or else services of this command's own, on free
            ports and with a data folder that is removed afterwards.
        root: the folder with the services' folders.
        terminal: is told of a start.

    Raises:
        ServicesFailed: nothing answers at the given URL, or the services could not be started.
    """
    running = find(name, given)
    if running is not None:
        yield Endpoint(running)
        return
    with _own(name, NEEDED[name], root, terminal, _usual(name)) as own:
        yield own


def find(name: str, given: str | None) -> str | None:
    """Return where a service answers: at its given URL, or else on this machine's usual port; None when it does not.

    Raises:
        ServicesFailed: nothing answers at the given URL.
    """
    if given is None:
        return usual if probes.is_service(usual := _usual(name), name) else None
    if probes.get_json(f"{given.rstrip('/')}/livez") is None:
        raise ServicesFailed(f"nothing answers at {given}")
    return given.rstrip("/")


def found(name: str, given: str | None) -> str:
    """Return where a service answers that runs already. Raises ServicesFailed."""
    url = find(name, given)
    if url is None:
        raise ServicesFailed(f"no {name} runs at {_usual(name)}; `cleanplate up` starts one")
    return url


def _usual(name: str) -> str:
    return f"http://127.0.0.1:{PORTS[name]}"


@contextmanager
def _own(name: str, names: Sequence[str], root: Path, terminal: Terminal, usual: str) -> Iterator[Endpoint]:
    terminal.note(f"no {name} runs at {usual}: starting {' and '.join(names)} for this command")
    with ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(prefix="cleanplate-", ignore_cleanup_errors=True)
        data = Path(stack.enter_context(folder))
        with terminal.startup() as tell:
            services = stack.enter_context(Services(root, data, names=names, on_change=tell, environ=for_one_user()))
        yield Endpoint(services.urls[name], services.check)
