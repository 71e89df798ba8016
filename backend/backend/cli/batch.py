"""A batch of pictures at a backend: several at a time, each with an outcome, none stopping the others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rich.progress import TaskID

from backend.cli.bars import Bars
from backend.cli.endpoints import Endpoint
from backend.cli.failures import ServicesFailed
from backend.cli.inputs import Item
from backend.cli.orders import Order
from backend.cli.outcomes import Outcome
from backend.cli.steps import Step
from backend.cli.terminal import Terminal, shown
from cleanplate.client import AsyncClient, AsyncJob, ClientError, Refused, Unreachable

CALL_TIMEOUT_S = 300.0
LOOK_EVERY_S = 0.5


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
        working: asyncio.Future[Any] = asyncio.gather(*(self._work(items) for _ in range(self._wishes.jobs)))
        watching: asyncio.Future[Any] = asyncio.create_task(self._watch())
        try:
            await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
            await (watching if watching.done() else working)
        finally:
            await _cancelled(working)
            await _cancelled(watching)
        return self._well

    async def _work(self, items: Iterator[Item]) -> None:
        for item in items:
            self._tell(item, await self._erase(item))

    async def _erase(self, item: Item) -> Outcome:
        bar = self._bars.begin(shown(item.source.name))

        def waiting(error: ClientError) -> None:
            self._bars.step(bar, Step(None, f"waiting: {error}"))

        url, key = self._endpoint.url, self._wishes.key or None
        async with AsyncClient(url, key, timeout=CALL_TIMEOUT_S, on_retry=waiting) as client:
            order = Order(client, item, self._wishes.options, url)
            try:
                job = await order.job()
                await self._follow(job, bar)
                return await order.outcome(job)
            except asyncio.CancelledError:
                await order.cancel()
                raise
            except (ClientError, OSError, ValueError, LookupError, TypeError) as error:
                return order.failed(error)
            finally:
                self._bars.end(bar)

    async def _follow(self, job: AsyncJob, bar: TaskID) -> None:
        """Move the bar until the job has ended, or until it shows that streams do not get through."""
        with suppress(Refused, Unreachable):
            async for event in job.events():
                self._bars.step(bar, Step.of(event))

    async def _watch(self) -> None:
        while True:
            self._endpoint.check()
            await asyncio.sleep(LOOK_EVERY_S)

    def give_up(self, reason: str) -> None:
        """Give the pictures that are still open as failed."""
        for item in list(self._open):
            self._tell(item, Outcome.failed(item, reason))

    def _tell(self, item: Item, outcome: Outcome) -> None:
        self._open.pop(item, None)
        self._well = self._well and outcome.well
        outcome.tell(self._terminal)
        self._bars.count()


async def _cancelled(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, ServicesFailed):
        await task
