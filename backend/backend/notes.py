"""Telling a job's log of a service that has to be asked again."""

from __future__ import annotations

from backend.clients import OnRetry
from cleanplate.runtime.run import Run


def noting(run: Run) -> OnRetry:
    """Return what writes a retry into the job's log."""

    async def note(service: str, reason: str) -> None:
        await run.note("retrying", service=service, reason=reason)

    return note
