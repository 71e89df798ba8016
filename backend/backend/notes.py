"""Telling a job's log of a service that has to be asked again."""

from __future__ import annotations

from backend.clients import OnRetry
from backend.sheets import Sheet


def noting(sheet: Sheet) -> OnRetry:
    """Return what writes a retry into the job's log."""

    async def note(service: str, reason: str) -> None:
        await sheet.note("retrying", service=service, reason=reason)

    return note
