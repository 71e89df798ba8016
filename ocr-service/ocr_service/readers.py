"""The loaded engines: copies of the service's own from the start, one of another when a request names it.

An engine that is asked over the network has no copies; see `Flights`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import Detection
from cleanplate.contract.problems import EngineUnavailable, EngineUnusable, Invalid
from cleanplate.runtime import traces
from cleanplate.runtime.cancelling import cancelled
from cleanplate.runtime.endings import end_when_hung
from cleanplate.runtime.lane import Lane
from ocr_service.detect import Reading, detect, read_page
from ocr_service.engines import (
    ENGINES,
    EngineOptions,
    PageEngine,
    PageText,
    ReadOptions,
    RemoteEngine,
    TextEngine,
    languages,
    load,
    reading,
    usable,
)
from ocr_service.flights import Flights
from ocr_service.gates import check_gpu
from ocr_service.stock import Stock

log = logging.getLogger(__name__)
RGB = NDArray[np.uint8]
T = TypeVar("T")
Loader = Callable[..., TextEngine | RemoteEngine]

DESCRIBER = "openai"
LONGEST_NAP_S = 15.0


class Reader(Protocol):
    """A loaded engine. Pictures are taken and looked at off the event loop.

    Of a document `pages_at_once` pages are under way. Every call raises EngineBusy when too many wait, TimedOut after
    `timeout_s`, EngineUnavailable when it was not its turn after `queue_s`, and what the engine raises.
    """

    engine: str
    model: str
    at_once: int
    pages_at_once: int

    async def detect(
        self, take: Callable[[], RGB], options: ReadOptions, timeout_s: float, queue_s: float | None = None
    ) -> Detection:
        """Read the picture that `take` returns."""

    async def page(self, take: Callable[[], RGB], options: ReadOptions, timeout_s: float) -> PageText:
        """Read a page, with an engine that gives Markdown."""

    async def see(
        self,
        take: Callable[[], RGB],
        see: Callable[[RGB, Reading], T],
        options: ReadOptions,
        timeout_s: float,
        queue_s: float | None = None,
    ) -> T:
        """Read the picture that `take` returns, and return what `see` makes of it."""

    async def close(self) -> None:
        """Let running calls end, and let go of the engine."""


class Copies:
    """Copies of one engine, and a lane with a thread for each; see `Reader`."""

    def __init__(self, name: str, first: TextEngine, copies: int, queue_limit: int, loader: Loader):
        self.lane = Lane(f"ocr-{name}", copies, queue_limit)
        self.engine, self.model = first.name, first.model
        self.at_once, self.pages_at_once = copies, 1
        self.stock = Stock(first, copies, lambda: cast(TextEngine, loader()), name=name)

    async def detect(
        self, take: Callable[[], RGB], options: ReadOptions, timeout_s: float, queue_s: float | None = None
    ) -> Detection:
        return await self._run(lambda engine: detect(take(), engine, options), timeout_s, queue_s)

    async def page(self, take: Callable[[], RGB], options: ReadOptions, timeout_s: float) -> PageText:
        return await self._run(lambda engine: cast(PageEngine, engine).page(take(), options), timeout_s)

    async def see(
        self,
        take: Callable[[], RGB],
        see: Callable[[RGB, Reading], T],
        options: ReadOptions,
        timeout_s: float,
        queue_s: float | None = None,
    ) -> T:
        def work(engine: TextEngine) -> T:
            rgb = take()
            return see(rgb, read_page(rgb, engine, options))

        return await self._run(work, timeout_s, queue_s)

    async def close(self) -> None:
        await asyncio.to_thread(self.lane.close)
        await asyncio.to_thread(self.stock.unload)

    async def _run(self, work: Callable[[TextEngine], T], timeout_s: float, queue_s: float | None = None) -> T:
        """Do work with a copy of the engine that nobody else uses meanwhile; see `Lane.run`."""
        return await self.lane.run(lambda: self._with_engine(work), timeout_s, queue_s)

    def _with_engine(self, work: Callable[[TextEngine], T]) -> T:
        with self.stock.lent() as engine, traces.span("engine", {"engine": self.engine, "model": self.model}):
            return work(engine)


class Readers:
    """All engines of the service, by name; one that reads with another recognizer than its own has that in it."""

    def __init__(
        self,
        own: str,
        *,
        copies: int,
        queue_limit: int,
        threads: int,
        cache: Path | None,
        options: EngineOptions | None = None,
        gpu_min_free_gb: float = 0.0,
        call_limit_s: float = 0.0,
        loader: Loader = load,
    ):
        self.own = own
        self.state = "loading"
        self._copies = copies
        self._queue_limit = queue_limit
        self._threads = threads
        self._cache = cache
        self._options = options or EngineOptions()
        self._gpu_min_free_gb = gpu_min_free_gb
        self._call_limit_s = call_limit_s
        self._loader = loader
        self._readers: dict[str, Copies | Flights] = {}
        self._adding = asyncio.Lock()
        self._watching: list[asyncio.Future[None]] = []

    async def start(self) -> None:
        """Load the service's own engine. Raises EngineUnavailable."""
        try:
            await self._add(self.own, self._copies, self.own, self._options)
        except BaseException:
            self.state = "error"
            raise
        self.state = "ready"

    def check(self, name: str | None, codes: Sequence[str] = ()) -> None:
        """Refuse an engine that cannot be used here, or cannot read these languages.

        Raises:
            Invalid: there is no such engine, it cannot be used here, or cannot read them.
            EngineUnusable: it is the service's own, and that is not to be loaded.
        """
        if self.state == "disabled" and name in (None, self.own):
            raise EngineUnusable(f"the engine {self.own} is disabled")
        if name is not None and (reason := self.missing(name)):
            raise Invalid(f"{name} cannot be used here: {reason}", field="engine")
        reading(name or self.own, self._options, codes)

    def missing(self, name: str) -> str:
        """Return why an engine cannot be used here; empty if it can. Raises Invalid: there is no such engine."""
        return "" if name in self._readers else usable(name, self._options)[1]

    def can(self, name: str | None, what: str) -> bool:
        """Say whether an engine, the service's own by default, can do something; see `EngineEntry.can`."""
        entry = ENGINES.get(name or self.own)
        return entry is not None and what in entry.can

    async def get(self, name: str | None, codes: Sequence[str] = ()) -> Copies | Flights:
        """Return the reader of an engine, for these languages where some are named, loading it if need be.

        Raises:
            Invalid: there is no such engine, it cannot be used here, or cannot read them.
            EngineUnavailable: it cannot be loaded, or the service's own is not loaded yet, or never will be.
        """
        name = name or self.own
        options = reading(name, self._options, codes)
        key = f"{name}-{options.text.recognizer}" if options.text.recognizer else name
        if key not in self._readers:
            self.check(name)
            if self.state not in ("ready", "disabled"):
                raise EngineUnavailable(f"the engine is {self.state}", retry_after_s=2)
            await self._add(key, 1, name, options)
        return self._readers[key]

    async def describe(self, rgb: RGB, timeout_s: float) -> str:
        """Say what a picture shows; see `Describer`."""
        reader = await self.get(DESCRIBER)
        assert isinstance(reader, Flights)
        return await reader.describe(rgb, timeout_s)

    def lanes(self) -> list[Lane | Flights]:
        """Return what has a queue, of all loaded engines."""
        return [reader if isinstance(reader, Flights) else reader.lane for reader in list(self._readers.values())]

    def stocks(self) -> list[Stock]:
        """Return the copies of each engine that was loaded, whatever has become of them; from any thread."""
        return [reader.stock for reader in list(self._readers.values()) if isinstance(reader, Copies)]

    async def watch(self, idle_s: float) -> None:
        """Let go of each engine that nobody has called for so long, until cancelled; the next call loads it again."""
        while True:
            await asyncio.sleep(min(idle_s / 4, LONGEST_NAP_S))
            for stock in self.stocks():
                await asyncio.to_thread(stock.unload, idle_s)

    def view(self) -> list[dict[str, object]]:
        """Return for every engine whether it can be used here, and why not."""
        views = []
        for name, entry in ENGINES.items():
            able, reason = usable(name, self._options)
            view = {"name": name, "usable": able, "reason": reason, "about": entry.about, "can": sorted(entry.can)}
            known = languages(name, self._options) if able else None
            views.append({**view, "loaded": self._loaded(name), "languages": known})
        return views

    async def ready(self) -> str:
        """Return which engine is ready. Raises EngineUnavailable while it is not."""
        if self.state != "ready":
            raise EngineUnavailable(f"the engine {self.own} is {self.state}")
        return f"{self.own}, {self._readers[self.own].at_once} at once"

    async def close(self) -> None:
        """Let go of all engines."""
        await cancelled(self._watching)
        for reader in self._readers.values():
            await reader.close()

    def _loaded(self, name: str) -> bool:
        reader = self._readers.get(name)
        return reader is not None and (isinstance(reader, Flights) or reader.stock.loaded)

    def _load(self, name: str, options: EngineOptions) -> TextEngine | RemoteEngine:
        check_gpu(name, options, self._gpu_min_free_gb)
        return self._loader(name, threads=self._threads, cache=self._cache, options=options)

    async def _add(self, key: str, copies: int, name: str, options: EngineOptions) -> None:
        async with self._adding:
            if key in self._readers:
                return
            loader = partial(self._load, name, options)
            engine = await asyncio.to_thread(loader)  # alone: to import a library in two threads at once is not safe
            reader: Copies | Flights
            if isinstance(engine, RemoteEngine):
                reader = Flights(engine, self._queue_limit)
            else:
                most = ENGINES[name].most_copies if name in ENGINES else copies
                reader = Copies(key, engine, min(copies, most), self._queue_limit, loader)
                await asyncio.to_thread(reader.stock.load)
                if self._call_limit_s:
                    self._watching.append(asyncio.ensure_future(end_when_hung(reader.lane, self._call_limit_s)))
            self._readers[key] = reader
            log.info("engine %s is warm, %d at once", key, reader.at_once)
