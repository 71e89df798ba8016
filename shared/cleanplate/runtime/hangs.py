"""A call that does not return: its thread cannot be stopped, so the process ends, and its supervisor starts it anew.

Nothing is put in order before, as an orderly end would wait for that thread; the jobs that are lost with the process
are taken over when their leases expire, as after any other crash.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from cleanplate.runtime.lane import Lane

log = logging.getLogger(__name__)

HUNG = 70  # EX_SOFTWARE of sysexits.h
GRACE_S = 5.0  # in which the job that called is failed
LOOKS = 10


async def end_when_hung(lane: Lane, limit_s: float, end: Callable[[int], object] = os._exit) -> None:
    """Call `end` with the exit code when one of the lane's calls has run for longer than the limit."""
    while (age_s := lane.oldest_s) <= limit_s + min(GRACE_S, limit_s):  # noqa: ASYNC110 - what hangs tells nobody
        await asyncio.sleep(min(GRACE_S, limit_s / LOOKS))
    log.critical("a call of the lane %s has not returned for %.0f s, the process ends", lane.name, age_s)
    end(HUNG)
