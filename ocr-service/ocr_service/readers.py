"""The loaded engines: copies of the service's own from the start, one of another when a request names it."""

from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from cleanplate.contract.problems import EngineUnavailable
from cleanplate.runtime.lane import Lane
from ocr_service.engines import ENGINES, TextEngine, load, usable

log = logging.getLogger(__name__)
T = TypeVar("T")


class Reader:
    """Copies of one engine, and a lane with a thread for each."""

    def __init__(self, name: str, copies: int, queue_limit: int, loader: Callable[[], TextEngine]):
        self.lane = Lane(f"ocr-{name}", copies, queue_limit)
        self._copies = copies
        self._loader = loader
        self._free: queue.SimpleQueue[TextEngine] = queue.SimpleQueue()

    def start(self) -> None:
        """Load and warm all copies. Blocking."""
        first = self._loader()  # alone: importing the same library in two threads at once is not safe
        with ThreadPoolExecutor(self._copies) as pool:
            made = [pool.submit(_warm, first), *(pool.submit(self._make) for _ in range(self._copies - 1))]
            for copy in made:
                self._free.put(copy.result())

    async def run(self, work: Callable[[TextEngine], T], timeout_s: float) -> T:
        """Do work with a copy of the engine that nobody else uses meanwhile; see `Lane.run`."""
        return await self.lane.run(lambda: self._with_engine(work), timeout_s)

    def close(self) -> None:
        """Let running work end, then let go of all copies. Blocking."""
        self.lane.close()
        while not self._free.empty():
            self._free.get().close()

    def _make(self) -> TextEngine:
        return _warm(self._loader())

    def _with_engine(self, work: Callable[[TextEngine], T]) -> T:
        engine = self._free.get()
        try:
            return work(engine)
        finally:
            self._free.put(engine)


def _warm(engine: TextEngine) -> TextEngine:
    engine.warm_up()
    return engine


class Readers:
    """All engines of the service, by name."""

    def __init__(
        self,
        own: str,
        *,
        copies: int,
        queue_limit: int,
        threads: int,
        cache: Path | None,
        loader: Callable[..., TextEngine] = load,
    ):
        self.own = own
        self.state = "loading"
        self._copies = copies
        self._queue_limit = queue_limit
        self._threads = threads
        self._cache = cache
        self._loader = loader
        self._readers: dict[str, Reader] = {}
        self._adding = asyncio.Lock()

    async def start(self) -> None:
        """Load the service's own engine. Raises EngineUnavailable."""
        try:
            await self._add(self.own, self._copies)
        except BaseException:
            self.state = "error"
            raise
        self.state = "ready"

    async def get(self, name: str | None) -> Reader:
        """Return the reader of an engine, loading it if need be.

        Raises:
            Invalid: there is no such engine.
            EngineUnavailable: it cannot be used here, or the service's own is not loaded yet.
        """
        name = name or self.own
        if name not in self._readers:
            able, reason = usable(name)
            if not able:
                raise EngineUnavailable(f"{name} cannot be used here: {reason}")
            if self.state != "ready":
                raise EngineUnavailable(f"the engine is {self.state}", retry_after_s=2)
            await self._add(name, 1)
        return self._readers[name]

    def lanes(self) -> list[Lane]:
        """Return the lanes of all loaded engines."""
        return [reader.lane for reader in self._readers.values()]

    def view(self) -> list[dict[str, object]]:
        """Return for every engine whether it can be used here, and why not."""
        views = []
        for name, entry in ENGINES.items():
            able, reason = usable(name)
            loaded = name in self._readers
            views.append({"name": name, "usable": able, "reason": reason, "about": entry.about, "loaded": loaded})
        return views

    async def ready(self) -> str:
        """Return which engine is ready. Raises EngineUnavailable while it is not."""
        if self.state != "ready":
            raise EngineUnavailable(f"the engine {self.own} is {self.state}")
        return f"{self.own}, {self._copies} copies"

    def close(self) -> None:
        """Let go of all engines. Blocking."""
        for reader in self._readers.values():
            reader.close()

    async def _add(self, name: str, copies: int) -> None:
        async with self._adding:
            if name in self._readers:
                return
            loader = partial(self._loader, name, threads=self._threads, cache=self._cache)
            reader = Reader(name, copies, self._queue_limit, loader)
            await asyncio.to_thread(reader.start)
            self._readers[name] = reader
            log.info("engine %s is warm, %d copies", name, copies)
