"""The services behind real ports, their data in temporary folders; whatever they log as an error fails the test."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inpaint_service.app import make_app
from inpaint_service.engines import Inpainter, Params, load
from inpaint_service.settings import InpaintSettings
from ocr_service.app import make_app as make_ocr_app
from ocr_service.engines import RemoteEngine, TextEngine
from ocr_service.engines import load as load_ocr
from ocr_service.machine import Memory, system_memory
from ocr_service.settings import OcrSettings
from tests.wires.dark import DarkReader, GatedReader
from tests.wires.serving import PATIENCE_S, Live

REFUSED_HANDSHAKE = "ASGI callable returned without completing handshake."  # uvicorn of each that is answered 401

Inpaint = Live[InpaintSettings]
Serve = Callable[..., Inpaint]
Ocr = Live[OcrSettings]
ServeOcr = Callable[..., Ocr]


class GatedInpainter:
    """A model that paints black, and one crop for each time that `gate` is released."""

    name, device = "lama", "cpu"
    modulus, calls_at_once = 1, 1
    largest_side_px: int | None = None

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)

    def __call__(self, name: str, **_: Any) -> Inpainter:
        """Be loaded."""
        return self

    def warm_up(self) -> None:
        pass

    def inpaint(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        self.entered.release()
        assert self.gate.acquire(timeout=PATIENCE_S)
        return np.zeros_like(rgb)

    def close(self) -> None:
        pass

    def begun(self) -> None:
        """Return when the next crop has begun."""
        assert self.entered.acquire(timeout=PATIENCE_S)

    def let(self, crops: int) -> None:
        """Let so many crops be painted."""
        self.gate.release(crops)


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start an inpaint-service with the embedded model, and these settings; it lives as long as the module's tests."""
    started: list[Inpaint] = []

    def start(loader: Callable[..., Inpainter] = load, *, ready: bool = True, **settings: Any) -> Inpaint:
        chosen = {"model": "auto", "data": tmp_path_factory.mktemp("inpaint"), **settings}
        made = InpaintSettings(**chosen)
        live = Live(make_app(made, loader), made)
        started.append(live)
        live.start()
        if ready:
            live.until_ready()
        return live

    yield start
    for live in started:
        live.stop()


@pytest.fixture(scope="module")
def inpaint(serve: Serve) -> Inpaint:
    return serve()


def _loader(reader: TextEngine) -> Callable[..., TextEngine | RemoteEngine]:
    """Return what loads this engine, whatever is asked for; those that are asked over the network are real."""
    return lambda name, **more: load_ocr(name, **more) if name in ("openai", "deepseek") else reader


@pytest.fixture(scope="module")
def serve_ocr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeOcr]:
    """Start an ocr-service that reads what is dark, and these settings; it lives as long as the module's tests."""
    started: list[Ocr] = []

    def start(
        reader: TextEngine | None = None,
        *,
        ready: bool = True,
        memory: Callable[[], Memory | None] = system_memory,
        **settings: Any,
    ) -> Ocr:
        chosen = {"lanes": 1, "pdf_dpi": 72, "data": tmp_path_factory.mktemp("ocr"), **settings}
        made = OcrSettings(**chosen)
        live = Live(make_ocr_app(made, _loader(reader or DarkReader()), memory=memory), made)
        started.append(live)
        live.start()
        if ready:
            live.until_ready()
        return live

    yield start
    for live in started:
        live.stop()


@pytest.fixture
def reader() -> GatedReader:
    """Return an engine that waits until a test lets it go on."""
    return GatedReader()


@pytest.fixture
def slow(serve_ocr: ServeOcr, reader: GatedReader) -> Ocr:
    """Start an ocr-service that does one job at a time, with that engine."""
    return serve_ocr(reader, slots=1)


@pytest.fixture
def gated() -> Iterator[GatedInpainter]:
    """A model that waits for the test; what still waits at its end is let go."""
    model = GatedInpainter()
    yield model
    model.let(1000)


@pytest.fixture(autouse=True)
def _nothing_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    told = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert [message for message in told if message != REFUSED_HANDSHAKE] == []
