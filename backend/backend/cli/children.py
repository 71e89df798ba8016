"""One child process with its log. Which processes there are, and when one is ready, is left to `services`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
TAIL_BYTES = 256_000
PROBE = '"GET /readyz '


class Child:
    """A process that can be started again; it does not outlive this one.

    Linux ends it with the thread that started it, so start it from the main thread or one that stays.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: Path):
        self.log = log
        self._command = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command]
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_is_old = True

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def code(self) -> int | None:
        """How it ended, as `subprocess` says it; None while it runs, before its start and after `end`."""
        return self._process.poll() if self._process is not None else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, in a session of its own, so that Ctrl-C reaches only this process."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._rotate_log()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process is not None:
            self._process.terminate()

    def end(self) -> None:
        """Kill it and what it started unless it has ended, and be as before the start."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
        self._process = None

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of its log, without those of being asked whether it is ready."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            said = log.read().decode(errors="replace").splitlines()
        return "\n".join([line for line in said if PROBE not in line][-lines:])

    def _rotate_log(self) -> None:
        """Before the first start, keep the log of the time before as `.1`."""
        if self._log_is_old and self.log.exists():
            self.log.replace(self.log.with_name(f"{self.log.name}.1"))
        self._log_is_old = False
