"""Who runs the jobs: the one seam to a work queue. A dispatcher carries job ids; all else is in the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from cleanplate.runtime.run import Run

__all__ = ["Dispatcher", "Handler"]

Handler = Callable[[Run], Awaitable[None]]
"""Does a job's work. It records its own success; what it raises fails the job."""


class Dispatcher(Protocol):
    """Claims jobs from a board and has them handled."""

    async def start(self) -> None:
        """Begin to claim jobs."""

    async def stop(self) -> None:
        """Claim no more, and give unfinished jobs back to the queue."""
