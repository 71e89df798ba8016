"""Speaking to whoever called: results on standard output, all else on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from backend.cli.probes import READY


class Terminal:
    """Both outputs of a command; with `as_json` each result is one JSON object on a line of its own."""

    def __init__(self, as_json: bool = False):
        self.as_json = as_json
        self.err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def result(self, line: str, body: dict[str, Any]) -> None:
        """Give one result, as a line for a person or as an object for a program."""
        self._out.out(json.dumps(body) if self.as_json else line, highlight=False)

    def note(self, text: str) -> None:
        """Say something in passing."""
        self.err.print(Text(text))

    def fault(self, text: str) -> None:
        """Say what went wrong."""
        self.err.print(Text("cleanplate: ", style="bold red") + Text(text))

    @contextmanager
    def startup(self) -> Iterator[Callable[[str, str], None]]:
        """Show what a start of services waits for; yields what is to be told of it."""
        began, states = time.monotonic(), dict[str, str]()
        with self.err.status(Text("starting")) as status:

            def tell(name: str, state: str) -> None:
                states[name] = state
                if state == READY:
                    self.note(f"{name}: ready after {time.monotonic() - began:.1f} s")
                waiting = ", ".join(f"{name} ({state})" for name, state in states.items() if state != READY)
                status.update(Text(waiting))

            yield tell

    @property
    def shows_progress(self) -> bool:
        """Whether somebody watches."""
        return self.err.is_terminal

    @property
    def both_on_screen(self) -> bool:
        return self.err.is_terminal and sys.stdout.isatty()


def shown(path: Path | str) -> str:
    """Return a path as it can be printed everywhere, whatever bytes it has."""
    return str(path).encode(errors="surrogateescape").decode(errors="replace")
