"""One model: loaded when it is called for, in copies that each take a call at a time, let go while nobody calls.

    unloaded ──wanted──► loading ──► ready ──unload──► unloaded
                            └──────► error ──wanted──► loading

Safe to call from any thread. A copy is lent for the time of a call; a model of which one is lent is not let go.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.problems import EngineUnavailable
from cleanplate.runtime import traces
from inpaint_service.engines import Batching, Inpainter, OutOfMemory, Params, most_in_batch

log = logging.getLogger(__name__)

Status = Literal["unloaded", "loading", "ready", "error"]


class Model:
    """A model behind the engines' Protocol; what is known of it only once it is loaded is guessed before.

    Args:
        name: its name.
        device: where it is going to be; `auto` is not known before.
        make: loads one copy; may raise EngineUnavailable and OutOfMemory.
        copies: how many are loaded.
        on_idle: is told when the last call has ended.
        clock: seconds.
    """

    modulus = 1
    calls_at_once = 1
    most_in_batch = 1
    largest_side_px: int | None = None

    def __init__(
        self,
        name: str,
        device: str,
        make: Callable[[], Inpainter],
        copies: int = 1,
        on_idle: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.name = name
        self.device = device
        self.status: Status = "unloaded"
        self._make = make
        self._copies = copies
        self._on_idle = on_idle
        self._clock = clock
        self._changed = threading.Condition()
        self._loading: Future[None] | None = None
        self._free: list[Inpainter] = []
        self._calls = 0
        self._used_at = clock()
        self._closed = False

    def wanted(self) -> Future[None]:
        """Return what is done when the model is loaded; a thread of its own loads it, if need be.

        Raises, when asked for its result:
            EngineUnavailable: it cannot be loaded; the next one who wants it tries again.
        """
        with self._changed:
            if self._closed:
                raise EngineUnavailable(f"{self.name} is closed")
            if self._loading is None:
                self.status, self._loading = "loading", Future()
                threading.Thread(target=self._load, args=(self._loading,), name=f"load {self.name}").start()
            return self._loading

    def warm_up(self) -> None:
        """Return when it is loaded. Raises EngineUnavailable."""
        self.wanted().result()

    def inpaint(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        with self._lent() as engine, self._called(rgb):
            return engine.inpaint(rgb, mask, params)

    def inpaint_many(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        with self._lent() as engine, self._called(rgb):
            assert isinstance(engine, Batching)
            return engine.inpaint_many(rgb, mask, params)

    def unload(self, idle_s: float = 0.0) -> bool:
        """Let go of it if nobody has called for so long; return whether it was done."""
        with self._changed:
            if self.status != "ready" or self._calls or self._clock() - self._used_at < idle_s:
                return False
            engines = {id(engine): engine for engine in self._free}
            self.status, self._loading, self._free = "unloaded", None, []
        for engine in engines.values():
            engine.close()
        log.info("unloaded %s", self.name)
        return True

    def close(self) -> None:
        """Let go of it for good, as soon as it is loaded and no call runs."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self.status != "loading" and not self._calls)
        self.unload()

    def _called(self, rgb: NDArray[np.uint8]) -> AbstractContextManager[traces.Span]:
        """Record a call, of one window or of several of equal size."""
        *many, height, width, _ = rgb.shape
        told = {"model": self.name, "device": self.device, "width": width, "height": height}
        return traces.span("model", {**told, "windows": many[0] if many else 1})

    @contextmanager
    def _lent(self) -> Iterator[Inpainter]:
        engine = self._take()
        try:
            yield engine
        finally:
            with self._changed:
                self._free.append(engine)
                self._calls -= 1
                self._used_at = self._clock()
                idle = not self._calls
                self._changed.notify_all()
            if idle:
                self._on_idle()

    def _take(self) -> Inpainter:
        while True:
            self.wanted().result()
            with self._changed:
                self._changed.wait_for(lambda: self._free or self.status != "ready")
                if self._free:
                    self._calls += 1
                    return self._free.pop()

    def _load(self, done: Future[None]) -> None:
        engines: list[Inpainter] = []
        try:
            for _ in range(self._copies):
                engines.append(self._make())
                engines[-1].warm_up()
        except BaseException as error:  # whoever waits is told, whatever it is
            for engine in engines:
                engine.close()
            self._end_loading("error", [])
            done.set_exception(_told(self.name, error))
        else:
            self._end_loading("ready", engines)
            done.set_result(None)

    def _end_loading(self, status: Status, engines: list[Inpainter]) -> None:
        with self._changed:
            self.status = status
            if not engines:
                self._loading = None
            else:
                first = engines[0]
                self.device, self.modulus, self.largest_side_px = first.device, first.modulus, first.largest_side_px
                self.most_in_batch = most_in_batch(first)
                self.calls_at_once = sum(engine.calls_at_once for engine in engines)
            self._free = [engine for engine in engines for _ in range(engine.calls_at_once)]
            self._used_at = self._clock()
            self._changed.notify_all()


def _told(name: str, error: BaseException) -> BaseException:
    if not isinstance(error, OutOfMemory):
        return error
    return EngineUnavailable(f"{name}: memory does not suffice to load it: {error}")
