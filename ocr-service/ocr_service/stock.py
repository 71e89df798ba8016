"""The copies of one engine: each is lent for a call, all are loaded when one is wanted, and let go while nobody calls.

Safe to call from any thread; everything here may block.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from ocr_service.engines import TextEngine

log = logging.getLogger(__name__)


class Stock:
    """Copies of an engine.

    Args:
        first: one that is loaded already, not warm.
        copies: how many there are to be; no more calls may run at once.
        make: loads another; may raise EngineUnavailable.
        clock: seconds.
        name: what it is told apart by; the engine's own by default.
    """

    def __init__(
        self,
        first: TextEngine,
        copies: int,
        make: Callable[[], TextEngine],
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
    ):
        self.name = name or first.name
        self.loaded = False
        self.busy_s = 0.0
        self._first: TextEngine | None = first
        self._copies = copies
        self._make = make
        self._clock = clock
        self._free: queue.SimpleQueue[TextEngine] = queue.SimpleQueue()
        self._calls = 0
        self._used_at = clock()
        self._loading = threading.Lock()
        self._counting = threading.Lock()

    def load(self) -> None:
        """Load and warm all copies, unless they are. Raises EngineUnavailable; the next call tries again."""
        with self._loading:
            if self.loaded:
                return
            first = self._first or self._make()  # alone: to import a library in two threads at once is not safe
            self._first = None
            with ThreadPoolExecutor(self._copies) as pool:
                made = [pool.submit(_warm, first), *(pool.submit(self._made) for _ in range(self._copies - 1))]
            problem = next((copy.exception() for copy in made if copy.exception()), None)
            for copy in made:
                if copy.exception() is None:
                    self._free.put(copy.result())
            if problem is not None:
                self._close_free()
                raise problem
            self.loaded = True

    @contextmanager
    def lent(self) -> Iterator[TextEngine]:
        """Lend a copy that nobody else uses meanwhile; load them if need be, see `load`."""
        with self._counting:
            self._calls += 1
        try:
            self.load()
            engine, began = self._free.get(), self._clock()
            try:
                yield engine
            finally:
                self._free.put(engine)
                self._add_busy(self._clock() - began)
        finally:
            with self._counting:
                self._calls -= 1
                self._used_at = self._clock()

    def unload(self, idle_s: float = 0.0) -> bool:
        """Let go of all copies if nobody has called for so long; return whether it was done."""
        with self._loading:
            with self._counting:
                if not self.loaded or self._calls or self._clock() - self._used_at < idle_s:
                    return False
                self.loaded = False
            self._close_free()
        log.info("unloaded %s", self.name)
        return True

    def _made(self) -> TextEngine:
        return _warm(self._make())

    def _add_busy(self, seconds: float) -> None:
        with self._counting:
            self.busy_s += seconds

    def _close_free(self) -> None:
        while not self._free.empty():
            self._free.get().close()


def _warm(engine: TextEngine) -> TextEngine:
    try:
        engine.warm_up()
    except BaseException:
        engine.close()
        raise
    return engine
