"""An ocr-service whose machine runs out of memory: it refuses new work, finishes old work later, and stays ready."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ocr_service.machine import Memory
from tests.fakes.pages import document
from tests.wires import dark, pictures
from tests.wires.conftest import Ocr, ServeOcr
from tests.wires.test_documents import ended, submit

GB = 1024**3
SIGN = {"image": pictures.text(dark.SIGN)}


@dataclass
class Machine:
    """Has this much memory free, whatever is done."""

    free: int = GB

    def __call__(self) -> Memory:
        return Memory(self.free, 2 * GB)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


@pytest.fixture(scope="module")
def ocr(serve_ocr: ServeOcr, machine: Machine) -> Ocr:
    return serve_ocr(memory=machine, memory_reserve_mb=100)


@pytest.fixture
def short(machine: Machine) -> Iterator[Machine]:
    machine.free = 0
    yield machine
    machine.free = GB


def test_new_work_is_refused_with_the_reason_and_when_to_come_again(ocr: Ocr, short: Machine) -> None:
    refused = ocr.post("/v1/detect", SIGN)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    body = refused.json()
    assert (body["code"], body["retryable"], body["limit"]) == ("memory_short", True, 100)
    assert "OCR_MEMORY_RESERVE_MB" in body["detail"]
    assert ocr.post("/v1/documents", files={"file": ("a.pdf", document(1))}).json()["code"] == "memory_short"
    for path, sent in (
        ("/ocr", {"json": {"file": SIGN["image"]}}),
        ("/v1/tasks/upload", {"files": {"file": dark.SIGN}}),
        ("/api/async/image", {"files": {"file": ("a.png", dark.SIGN)}}),
    ):
        answer = ocr.post(path, **sent)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10"), (path, answer.text)


def test_it_stays_ready_and_says_what_it_is_short_of(ocr: Ocr, short: Machine) -> None:
    assert ocr.get("/readyz").status_code == 200
    health = ocr.get("/healthz")
    assert (health.status_code, health.json()["memory_pressure"]) == (200, True)
    assert health.json()["system_memory_free_gb"] == 0
    short.free = GB
    assert ocr.get("/healthz").json()["memory_pressure"] is False


def test_a_document_waits_before_its_next_page_and_goes_on(serve_ocr: ServeOcr, reader: dark.GatedReader) -> None:
    machine = Machine()
    live = serve_ocr(reader, memory=machine, memory_reserve_mb=100, slots=1)
    view = submit(live, dark.pdf(3))
    reader.begun()
    machine.free = 0
    reader.let(3)
    with live.socket(f"/v1/jobs/{view['job_id']}/ws") as talk:
        assert talk.hear_until("waiting")[-1]["data"]["reason"] == "too little memory is free"
    assert live.get(f"/v1/jobs/{view['job_id']}").json()["status"] == "running"
    machine.free = GB
    done = ended(live, view)
    assert (done["status"], done["pages_done"]) == ("succeeded", 3)
