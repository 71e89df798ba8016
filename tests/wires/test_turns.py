"""Waiting for an engine: requests for a while, documents until it is their turn."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from cleanplate.contract.problems import EngineBusy, EngineUnavailable, Problem
from ocr_service.engines import Line, ReadOptions
from tests.fakes import vision
from tests.fakes.pages import BarReader, document
from tests.fakes.vision import Vision
from tests.wires.conftest import Ocr, ServeOcr
from tests.wires.dark import SIGN, GatedReader, pdf
from tests.wires.test_documents import ended, lines_by_page, submit

Ask = Callable[[Ocr], httpx.Response]


class Away(BarReader):
    """Is not there for the first calls, and says so."""

    def __init__(self, *problems: Problem):
        super().__init__()
        self.problems = list(problems)

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        if self.problems:
            raise self.problems.pop()
        return super().read(rgb, options)


def detect(live: Ocr, engine: str | None = None) -> httpx.Response:
    params = {} if engine is None else {"params": f'{{"engine": "{engine}"}}'}
    return live.post("/v1/detect", files={"image": ("sign.png", SIGN)}, data=params)


def ocr(live: Ocr, file: bytes = SIGN) -> httpx.Response:
    return live.post("/ocr", {"file": base64.b64encode(file).decode()})


@pytest.mark.parametrize("ask", [detect, ocr, lambda live: ocr(live, pdf(2))], ids=["detect", "ocr", "ocr of a PDF"])
def test_a_request_whose_turn_does_not_come_is_told_to_come_again(serve_ocr: ServeOcr, ask: Ask) -> None:
    reader = GatedReader()
    live = serve_ocr(reader, queue_timeout_s=0.05)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(detect, live)
        reader.begun()
        refused = ask(live)
        reader.let(1000)
        assert first.result().status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert ask(live).status_code == 200


def test_so_is_one_for_an_engine_over_the_network(serve_ocr: ServeOcr) -> None:
    server = Vision()
    server.start()
    live = serve_ocr(
        openai_url=server.url, openai_model="eye", openai_concurrency=1, openai_idle_s=1.0, openai_retries=0,
        queue_timeout_s=0.05,
    )  # fmt: skip
    server.does(vision.falls_silent)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(detect, live, "openai")
        server.begun()
        refused = detect(live, "openai")
        assert first.result().status_code == 504
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    server.does(vision.says("[]"))
    assert detect(live, "openai").status_code == 200
    server.stop()


@pytest.mark.parametrize("kind", [EngineBusy, EngineUnavailable])
def test_a_page_waits_for_an_engine_that_is_away_for_now(serve_ocr: ServeOcr, kind: type[Problem]) -> None:
    live = serve_ocr(Away(*(kind("the GPU is full", retry_after_s=0.01) for _ in range(5))))
    view = ended(live, submit(live, document(2)))
    assert (view["status"], view["failed_pages"], lines_by_page(live, view)) == ("succeeded", [], {1: 1, 2: 2})


def test_a_page_does_not_wait_for_an_engine_that_will_not_come(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(Away(*(EngineUnavailable("no GPU") for _ in range(2))))
    view = ended(live, submit(live, document(2)))
    assert [(page["page"], page["detail"]) for page in view["failed_pages"]] == [(1, "no GPU")]
    assert lines_by_page(live, view) == {1: 0, 2: 2}
