"""Ending in good order: SIGTERM and SIGHUP do what Ctrl-C does, once."""

from __future__ import annotations

import signal
from types import FrameType

EXIT_CODE = 128 + signal.SIGINT


def heed() -> None:
    """Raise KeyboardInterrupt in the main thread at SIGINT, SIGTERM and SIGHUP; one that `nohup` ignores stays so."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Pass it on; `timeout` and process groups send theirs twice, and a stop once begun is to be finished."""
    signal.signal(number, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)
