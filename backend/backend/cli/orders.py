"""One picture of a batch at a backend: its job, submitted or found again, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from backend.cli.inputs import Item
from backend.cli.outcomes import Outcome
from backend.cli.results import write
from backend.cli.terminal import shown
from backend.cli.tickets import Ticket
from cleanplate.client import AsyncClient, AsyncJob, ClientError, Refused

CANCEL_TIMEOUT_S = 5.0


class Order:
    """A picture, and its job as soon as there is one."""

    def __init__(self, client: AsyncClient, item: Item, options: Mapping[str, Any], url: str):
        self._client = client
        self._item = item
        self._options = {**options, "output_format": item.format}
        self._url = url
        self._began = time.monotonic()
        self._ticket: Ticket | None = None
        self._job: AsyncJob | None = None

    async def job(self) -> AsyncJob:
        """Return the job that an earlier batch left behind, or a new one. Raises ClientError, OSError."""
        image = await asyncio.to_thread(self._item.source.read_bytes)
        self._ticket = await asyncio.to_thread(Ticket.taken, self._item.target, self._url, self._options, image)
        self._job = job = await self._submitted(image, self._ticket)
        if self._ticket.left and job.status == "failed":
            await job.retry()
        elif self._ticket.left and job.status == "cancelled":
            self._ticket = await asyncio.to_thread(self._ticket.renewed)
            self._job = job = await self._submitted(image, self._ticket)
        return job

    async def outcome(self, job: AsyncJob) -> Outcome:
        """Wait for the job's end, write what it made, and return what became of it. Raises ClientError, OSError."""
        item, view = self._item, await job.wait()
        if view["status"] == "succeeded":
            made = await job.result()
            item = replace(item, target=item.place(made.media_type))
            await asyncio.to_thread(write, item.target, made.data)
        self._forget()
        return Outcome.of_view(item, dict(view), time.monotonic() - self._began)

    def failed(self, error: Exception) -> Outcome:
        """Return what is to be said of an error; after one that passes, the job may be found again."""
        if not (isinstance(error, OSError) or (isinstance(error, ClientError) and error.passing)):
            self._forget()
        job_id = self._job.id if self._job else ""
        return Outcome.failed(self._item, *_reason(error), job_id, time.monotonic() - self._began)

    async def cancel(self) -> None:
        """Cancel the job, if the backend can be told so within some seconds."""
        if self._job is not None:
            with suppress(ClientError, TimeoutError):
                await asyncio.wait_for(self._job.cancel(), CANCEL_TIMEOUT_S)
                self._forget()

    async def _submitted(self, image: bytes, ticket: Ticket) -> AsyncJob:
        """Submit; a submit under way when Ctrl-C comes is waited for, so that its job can be cancelled."""
        name = shown(self._item.source.name)
        submitting = asyncio.ensure_future(
            self._client.submit(image, name=name, idempotency_key=ticket.key, **self._options)
        )
        try:
            return await asyncio.shield(submitting)
        except asyncio.CancelledError:
            with suppress(ClientError, TimeoutError, asyncio.CancelledError):
                self._job = await asyncio.wait_for(submitting, CANCEL_TIMEOUT_S)
            raise

    def _forget(self) -> None:
        if self._ticket is not None:
            self._ticket.remove()


def _reason(error: Exception) -> tuple[str, str]:
    """Return why, in words and as a code."""
    if isinstance(error, Refused):
        return str(error), error.code
    if isinstance(error, ClientError):
        return str(error), "unreachable" if error.passing else ""
    if isinstance(error, OSError):
        return error.strerror or str(error), ""
    return f"the answer of the backend is not understood: {type(error).__name__} {error}", ""
