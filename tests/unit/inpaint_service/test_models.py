"""Which models are in memory: loaded when called for, beside each other, let go when nobody calls."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cleanplate.contract.problems import EngineBusy, EngineUnavailable, Invalid, TimedOut
from inpaint_service import models as module
from inpaint_service.engines import Device, Inpainter, OutOfMemory, Params, PrecisionUnsupported, most_in_batch
from inpaint_service.loads import Loads
from inpaint_service.models import ModelChoice, Models

PATIENCE_S = 10.0
Picture = NDArray[np.uint8]
BLACK, MASK = np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 255, np.uint8)


class Engine:
    """A model that paints one color, waits at its gate, and will not bear a second call or one after its end."""

    modulus, calls_at_once = 8, 1
    largest_side_px: int | None = None

    def __init__(self, name: str, device: str, gate: threading.Event) -> None:
        self.name, self.device = name, device
        self.gate = gate
        self.called = threading.Event()
        self.closed = False
        self._busy = threading.Lock()

    def warm_up(self) -> None:
        pass

    def inpaint(self, rgb: Picture, mask: Picture, params: Params | None = None) -> Picture:
        assert self._busy.acquire(blocking=False), "called twice at once"
        assert not self.closed, "called after its end"
        self.called.set()
        assert self.gate.wait(PATIENCE_S)
        assert not self.closed, "closed under a call"
        self._busy.release()
        return np.full_like(rgb, 7)

    def close(self) -> None:
        self.closed = True


class Loader:
    """Loads engines, unless they are held back or spoiled."""

    def __init__(self) -> None:
        self.made: list[Engine] = []
        self.loads: Counter[str] = Counter()
        self.held: dict[str, threading.Event] = {}
        self.spoiled: dict[str, Exception] = {}
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, name: str, *, device: Device, **_: Any) -> Inpainter:
        self.loads[name] += 1
        if name in self.held:
            self.begun.set()
            assert self.held[name].wait(PATIENCE_S)
        if name in self.spoiled:
            raise self.spoiled[name]
        self.made.append(Engine(name, "cpu" if device == "auto" else device, self.gate))
        return self.made[-1]


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Loader:
    """A loader for models that are all usable."""
    monkeypatch.setattr(module, "usable", lambda name, **_: (True, "faked"))
    return Loader()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


class Clock:
    """Time that goes on when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def started(loader: Callable[..., Inpainter], clock: Clock | None = None, **choice: Any) -> Models:
    models = Models(ModelChoice(**{"name": "lama", **choice}), loader, clock or Clock())
    models.start()
    return models


def loaded(models: Models) -> list[str]:
    parameters = models.view()["parameters"]
    assert isinstance(parameters, dict)
    return list(parameters["loaded"])


def call(models: Models, name: str | None = None) -> Picture:
    return models.get(name).inpaint(BLACK, MASK)


def test_a_request_names_its_model(loader: Loader) -> None:
    models = started(loader)
    assert (models.get(None).name, models.get("mat").name) == ("lama", "mat")
    assert (call(models, "mat") == 7).all()
    assert loader.loads == {"lama": 1, "mat": 1}


def test_an_unknown_model_is_refused_with_the_known_ones(loader: Loader) -> None:
    with pytest.raises(Invalid, match=r"no model lamma; there are .*lama"):
        started(loader).get("lamma")


def test_those_asked_for_longest_ago_are_let_go(loader: Loader) -> None:
    models = started(loader, kept=2)
    for name in ("mat", "zits", "mat", "fcf"):
        models.get(name)
    assert sorted(loaded(models)) == ["fcf", "lama", "mat"]
    assert [engine.name for engine in loader.made if engine.closed] == ["zits"]


def test_the_embedded_fills_are_kept_besides(loader: Loader) -> None:
    models = started(loader, kept=1)
    for name in ("plane", "membrane", "mat"):
        models.get(name)
    assert sorted(loaded(models)) == ["lama", "mat", "membrane", "plane"]


def test_a_model_that_loads_holds_up_nobody_who_needs_another(loader: Loader, pool: ThreadPoolExecutor) -> None:
    models = started(loader)
    loader.held["mat"] = threading.Event()
    waiting = [pool.submit(call, models, "mat") for _ in range(3)]
    assert (call(models) == 7).all()
    assert not any(future.done() for future in waiting)
    loader.held["mat"].set()
    assert all((future.result(PATIENCE_S) == 7).all() for future in waiting)
    assert loader.loads["mat"] == 1


def test_a_model_is_not_let_go_under_a_call(loader: Loader, pool: ThreadPoolExecutor) -> None:
    models = started(loader, kept=1)
    models.get("mat")
    loader.gate.clear()
    running = pool.submit(call, models, "mat")
    assert loader.made[-1].called.wait(PATIENCE_S)
    models.get("zits")
    assert not models.get("mat").unload()
    models.get("zits")
    assert "mat" in loaded(models)
    loader.gate.set()
    assert (running.result(PATIENCE_S) == 7).all()
    assert sorted(loaded(models)) == ["lama", "zits"]


def test_a_copy_takes_one_call_at_a_time_and_several_take_several(loader: Loader, pool: ThreadPoolExecutor) -> None:
    models = started(loader, copies=2)
    loader.gate.clear()
    running = [pool.submit(call, models) for _ in range(5)]
    assert all(engine.called.wait(PATIENCE_S) for engine in loader.made)
    loader.gate.set()
    assert all((future.result(PATIENCE_S) == 7).all() for future in running)
    assert loader.loads["lama"] == len(loader.made) == 2


class Many(Engine):
    """A model that takes three crops in a call."""

    most_in_batch = 3

    def inpaint_many(self, rgb: Picture, mask: Picture, params: Params | None = None) -> Picture:
        return np.stack([self.inpaint(*pair, params) for pair in zip(rgb, mask, strict=True)])


def test_what_a_model_takes_in_a_call_is_known_when_it_is_loaded(loader: Loader) -> None:
    def many(name: str, **_: Any) -> Inpainter:
        return Many(name, "cpu", loader.gate)

    model = started(many).get(None)
    assert most_in_batch(model) == 3
    assert (model.inpaint_many(np.stack([BLACK] * 3), np.stack([MASK] * 3)) == 7).all()
    assert most_in_batch(started(loader).get(None)) == 1


def test_an_idle_model_is_let_go_and_comes_back_when_called(loader: Loader) -> None:
    clock = Clock()
    models = Models(ModelChoice("lama", idle_unload_s=60.0), loader, clock)
    model = models.get(None)
    clock.now = 59.0
    models.sweep()
    assert model.status == "ready"
    clock.now = 61.0
    models.sweep()
    assert (model.status, loader.made[-1].closed) == ("unloaded", True)
    assert (model.inpaint(BLACK, MASK) == 7).all()
    assert model.status == "ready"


def test_idle_models_are_let_go_in_the_background(loader: Loader) -> None:
    gone = threading.Event()

    class Noted(Engine):
        def close(self) -> None:
            super().close()
            gone.set()

    models = Models(ModelChoice("lama", idle_unload_s=0.01), lambda name, **_: Noted(name, "cpu", loader.gate))
    models.start()
    assert gone.wait(PATIENCE_S)
    assert models.started
    models.close()


def test_the_state_is_that_of_the_service_s_own_model(loader: Loader, pool: ThreadPoolExecutor) -> None:
    loader.held["lama"] = threading.Event()
    models = Models(ModelChoice("lama"), loader, Clock())
    assert models.view()["status"] == "loading"
    starting = pool.submit(models.start)
    assert (models.view()["status"], models.started) == ("loading", False)
    loader.held["lama"].set()
    starting.result(PATIENCE_S)
    assert models.view()["status"] == "ready"
    models.get(None).unload()
    assert (models.view()["status"], models.started) == ("unloaded", True)
    loader.spoiled["lama"] = EngineUnavailable("the file is gone")
    with pytest.raises(EngineUnavailable, match="gone"):
        call(models)
    assert models.view()["status"] == "error"
    del loader.spoiled["lama"]
    call(models)
    assert models.view()["status"] == "ready"


def test_the_embedded_fills_stand_in_for_a_model_that_does_not_load(loader: Loader) -> None:
    loader.spoiled["lama"] = EngineUnavailable("no file")
    models = started(loader)
    assert (models.name, models.fallback, models.state) == ("auto", "no file", "ready")


@pytest.mark.parametrize("choice", [{"strict": True}, {"name": "lamma"}])
def test_a_model_that_must_be_there_ends_the_start(loader: Loader, choice: dict[str, Any]) -> None:
    loader.spoiled["lama"] = EngineUnavailable("no file")
    models = Models(ModelChoice(**{"name": "lama", **choice}), loader)
    with pytest.raises(EngineUnavailable):
        models.start()
    assert models.view()["status"] == "error"


def test_a_precision_that_the_processor_lacks_ends_the_start(loader: Loader) -> None:
    loader.spoiled["lama"] = PrecisionUnsupported("bf16 needs AMX")
    with pytest.raises(PrecisionUnsupported, match="AMX"):
        started(loader)


def test_too_little_memory_for_a_model_is_said(loader: Loader) -> None:
    loader.spoiled["mat"] = OutOfMemory("mat on cuda")
    with pytest.raises(EngineUnavailable, match="memory does not suffice to load it"):
        started(loader).get("mat")


def test_close_waits_for_the_last_call(loader: Loader, pool: ThreadPoolExecutor) -> None:
    models = started(loader)
    loader.gate.clear()
    running: Future[Picture] = pool.submit(call, models)
    assert loader.made[0].called.wait(PATIENCE_S)
    closing = pool.submit(models.close)
    assert not loader.made[0].closed
    loader.gate.set()
    closing.result(PATIENCE_S)
    assert (running.result(PATIENCE_S) == 7).all()
    assert loader.made[0].closed
    with pytest.raises(EngineUnavailable, match="closed"):
        call(models)


async def test_who_waits_for_a_model_waits_outside_the_lane(loader: Loader) -> None:
    models = await asyncio.to_thread(started, loader)
    loader.held["mat"] = threading.Event()
    loads = Loads(models, limit=1)
    await loads.wait(None)
    waiting = asyncio.create_task(loads.wait("mat"))
    await asyncio.to_thread(loader.begun.wait, PATIENCE_S)
    with pytest.raises(EngineBusy):
        await loads.wait("mat")
    await loads.wait("lama")
    loader.held["mat"].set()
    await waiting
    assert models.ready("mat")


async def test_a_wait_for_a_model_ends_with_the_request_s_time(loader: Loader) -> None:
    models = await asyncio.to_thread(started, loader)
    loader.held["mat"] = threading.Event()
    with pytest.raises(TimedOut):
        await Loads(models, limit=1).wait("mat", 0.01)
    loader.held["mat"].set()
    await Loads(models, limit=1).wait("mat")


async def test_a_task_that_comes_before_the_start_waits_for_it(loader: Loader) -> None:
    loader.spoiled["lama"] = EngineUnavailable("no file")
    models = Models(ModelChoice("lama"), loader)
    waiting = asyncio.create_task(Loads(models, limit=1).wait(None))
    await asyncio.sleep(0)
    await asyncio.to_thread(models.start)
    await waiting
    assert models.get(None).name == "auto"
