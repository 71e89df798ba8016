"""A process that cannot go on ends with `FAILED`, so that its supervisor starts it anew."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable

from cleanplate.runtime.lane import Lane

log = logging.getLogger(__name__)

FAILED = 70  # EX_SOFTWARE of sysexits.h
GRACE_S = 5.0  # in which the job that called is failed
LOOKS = 10

_given_up = threading.Event()


def give_up() -> None:
    """Let the server stop in good order, as if told to. From any thread."""
    _given_up.set()


def has_given_up() -> bool:
    """Return whether that was called."""
    return _given_up.is_set()


async def end_when_hung(lane: Lane, limit_s: float, end: Callable[[int], object] = os._exit) -> None:
    """Call `end` with the exit code when one of the lane's calls has run for longer than the limit.

    Its thread cannot be stopped. Nothing is put in order before, as an orderly end would wait for that thread; the jobs
    that are lost with the process are taken over when their leases expire, as after any other crash.
    """
    while (age_s := lane.oldest_s) <= limit_s + min(GRACE_S, limit_s):  # noqa: ASYNC110 - what hangs tells nobody
        await asyncio.sleep(min(GRACE_S, limit_s / LOOKS))
    log.critical("a call of the lane %s has not returned for %.0f s, the process ends", lane.name, age_s)
    end(FAILED)
