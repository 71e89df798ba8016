"""An engine that is asked over the network: calls in flight, a bounded queue before them, and no thread held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import Detection
from cleanplate.contract.problems import EngineBusy, EngineUnavailable, Invalid, TimedOut
from cleanplate.runtime import traces
from ocr_service.detect import Reading, detection, in_order
from ocr_service.engines import Describer, PageText, ReadOptions, RemoteEngine

RGB = NDArray[np.uint8]
T = TypeVar("T")


class Flights:
    """Calls to one remote engine; see `Reader`. More than `queue_limit` waiting ones are refused."""

    def __init__(self, engine: RemoteEngine, queue_limit: int):
        self.name = f"ocr-{engine.name}"
        self.engine, self.model = engine.name, engine.model
        self.at_once = self.pages_at_once = engine.calls_at_once
        self._remote = engine
        self._queue_limit = queue_limit
        self._free = asyncio.Semaphore(engine.calls_at_once)
        self._inside = 0

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return max(0, self._inside - self.at_once)

    async def detect(
        self, take: Callable[[], RGB], options: ReadOptions, timeout_s: float, queue_s: float | None = None
    ) -> Detection:
        """Read the picture that `take`, which may block, returns."""

        async def call() -> Detection:
            start = time.perf_counter()
            rgb = await asyncio.to_thread(take)
            return await asyncio.to_thread(detection, rgb, await self._read(rgb, options), self._remote, start)

        return await self._within(timeout_s, self._in_turn(call, queue_s))

    async def page(self, take: Callable[[], RGB], options: ReadOptions, timeout_s: float) -> PageText:
        """Read a page; the time counts from when it is its turn, since many pages wait at once."""

        async def call() -> PageText:
            return await self._within(timeout_s, self._remote.page(await asyncio.to_thread(take), options))

        return await self._in_turn(call)

    async def see(
        self,
        take: Callable[[], RGB],
        see: Callable[[RGB, Reading], T],
        options: ReadOptions,
        timeout_s: float,
        queue_s: float | None = None,
    ) -> T:
        """Read the picture that `take` returns, and return what `see` makes of it; both may block."""

        async def call() -> T:
            rgb = await asyncio.to_thread(take)
            return await asyncio.to_thread(see, rgb, await self._read(rgb, options))

        return await self._within(timeout_s, self._in_turn(call, queue_s))

    async def describe(self, rgb: RGB, timeout_s: float) -> str:
        """Say what a picture shows."""
        engine = self._remote
        if not isinstance(engine, Describer):
            raise Invalid("this engine describes no pictures", field="engine")
        return await self._in_turn(lambda: self._within(timeout_s, engine.describe(rgb)))

    async def close(self) -> None:
        """Hang up."""
        await self._remote.aclose()

    async def _read(self, rgb: RGB, options: ReadOptions) -> Reading:
        height, width = rgb.shape[:2]
        return Reading(in_order(await self._remote.lines(rgb, options), width, height))

    async def _in_turn(self, call: Callable[[], Awaitable[T]], queue_s: float | None = None) -> T:
        async with self._turn(queue_s):
            with traces.span("engine", {"engine": self.engine, "model": self.model}, kind="client"):
                return await call()

    @asynccontextmanager
    async def _turn(self, queue_s: float | None) -> AsyncIterator[None]:
        if self._inside >= self.at_once + self._queue_limit:
            raise EngineBusy(
                f"{self.waiting} calls wait already",
                retry_after_s=2,
                queue_length=self.waiting,
                limit=self._queue_limit,
            )
        self._inside += 1
        try:
            await self._free_within(queue_s)
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._inside -= 1

    async def _free_within(self, queue_s: float | None) -> None:
        try:
            async with asyncio.timeout(queue_s):
                await self._free.acquire()
        except TimeoutError:
            detail = f"{self.name}: not its turn within {queue_s:g} s"
            raise EngineUnavailable(detail, retry_after_s=2, queue_length=self.waiting) from None

    async def _within(self, timeout_s: float, work: Awaitable[T]) -> T:
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await work
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimedOut(f"no answer within {timeout_s:g} s", limit=timeout_s) from None
