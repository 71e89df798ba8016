"""How a command ends: its exit code, and what signals do.

0 all went well; 1 something failed; 2 the command line makes no sense; 130 Ctrl-C, SIGTERM or SIGHUP.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from backend.cli.failures import ServicesFailed
from backend.cli.inputs import UsageError
from backend.cli.terminal import Terminal
from cleanplate.client import ClientError

USAGE = 2
INTERRUPTED = 128 + signal.SIGINT


def exit_code(work: Callable[[], bool], terminal: Terminal) -> int:
    """Do the work, which says whether all went well, and return the exit code; the terminal is told of failures."""
    try:
        return 0 if work() else 1
    except UsageError as error:
        terminal.fault(str(error))
        return USAGE
    except (ServicesFailed, ClientError) as failure:
        terminal.fault(str(failure))
        return 1
    except KeyboardInterrupt:
        terminal.note("interrupted")
        return INTERRUPTED


def heed_signals() -> None:
    """Raise KeyboardInterrupt in the main thread at SIGINT, SIGTERM and SIGHUP; one that `nohup` ignores stays so."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Pass it on; `timeout` and process groups send theirs twice, and a stop once begun is to be finished."""
    signal.signal(number, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)
