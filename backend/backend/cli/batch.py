"""A batch of pictures at a backend: several at a time, each with an outcome, none stopping the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from backend.cli.bars import Bars
from backend.cli.endpoints import Endpoint
from backend.cli.failures import ServicesFailed
from backend.cli.inputs import Item
from backend.cli.jobs import ErasingJob, Step
from backend.cli.outcomes import Outcome
from backend.cli.results import write
from backend.cli.terminal import Terminal, shown
from cleanplate.contract.problems import Problem

LOOK_EVERY_S = 0.5
CANCEL_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Wishes:
    """What is asked for all pictures of a batch: the options of a job, how many at once, the backend's API key."""

    options: dict[str, Any]
    jobs: int = 2
    key: str = ""


class Batch:
    """One run over pictures."""

    def __init__(self, items: Sequence[Item], wishes: Wishes, endpoint: Endpoint, terminal: Terminal, bars: Bars):
        self._wishes = wishes
        self._endpoint = endpoint
        self._terminal = terminal
        self._bars = bars
        self._open = dict.fromkeys(items)
        self._well = True

    async def run(self) -> bool:
        """Erase all and give each outcome; return whether all went well.

        Raises:
            ServicesFailed: a service that was started for this has ended; `give_up` is left to the caller.
        """
        items = iter(list(self._open))
        async with aiohttp.ClientSession() as session:
            working: asyncio.Future[Any] = asyncio.gather(
                *(self._work(items, session) for _ in range(self._wishes.jobs))
            )
            watching: asyncio.Future[Any] = asyncio.create_task(self._watch())
            try:
                await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
                await (watching if watching.done() else working)
            finally:
                await _cancelled(working)
                await _cancelled(watching)
        return self._well

    async def _work(self, items: Iterator[Item], session: aiohttp.ClientSession) -> None:
        for item in items:
            self._tell(await self._erase(item, session))

    async def _erase(self, item: Item, session: aiohttp.ClientSession) -> Outcome:
        began, bar = time.monotonic(), self._bars.begin(shown(item.source.name))

        async def waiting(_: str, reason: str) -> None:
            self._bars.step(bar, Step(None, f"waiting: {reason}"))

        job = ErasingJob(self._endpoint.url, self._wishes.key, session, waiting)
        try:
            image = await asyncio.to_thread(item.source.read_bytes)
            await self._submit(job, image, item)
            async for step in job.follow():
                self._bars.step(bar, step)
            view = await job.final_view()
            if view["status"] == "succeeded":
                await asyncio.to_thread(write, item.target, await job.picture())
            return Outcome.of_view(item, view, time.monotonic() - began)
        except asyncio.CancelledError:
            await _cancel(job)
            raise
        except (Problem, OSError, ValueError, LookupError, TypeError) as error:
            return Outcome.failed(item, *_reason(error), job.id, time.monotonic() - began)
        finally:
            self._bars.end(bar)

    async def _submit(self, job: ErasingJob, image: bytes, item: Item) -> None:
        """Submit; a submit under way when Ctrl-C comes is waited for, so that its job can be cancelled."""
        options = {**self._wishes.options, "output_format": item.format}
        submitting = asyncio.ensure_future(job.submit(image, shown(item.source.name), options))
        try:
            await asyncio.shield(submitting)
        except asyncio.CancelledError:
            with suppress(Problem, TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(submitting, CANCEL_TIMEOUT_S)
            raise

    async def _watch(self) -> None:
        while True:
            self._endpoint.check()
            await asyncio.sleep(LOOK_EVERY_S)

    def give_up(self, reason: str) -> None:
        """Give the pictures that are still open as failed."""
        for item in list(self._open):
            self._tell(Outcome.failed(item, reason))

    def _tell(self, outcome: Outcome) -> None:
        self._open.pop(outcome.item, None)
        self._well = self._well and outcome.status != "failed"
        outcome.tell(self._terminal)
        self._bars.count()


async def _cancel(job: ErasingJob) -> None:
    if job.id:
        with suppress(Problem, TimeoutError):
            await asyncio.wait_for(job.cancel(), CANCEL_TIMEOUT_S)


async def _cancelled(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, ServicesFailed):
        await task


def _reason(error: Exception) -> tuple[str, str]:
    """Return why, in words and as a code."""
    if isinstance(error, Problem):
        return error.detail, error.code
    if isinstance(error, OSError):
        return error.strerror or str(error), ""
    return f"the answer of the backend is not understood: {type(error).__name__} {error}", ""
