"""Services and stores that fail in every way: the job goes on where it stood, or says in the end why it could not."""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from backend import clients
from backend.app import make_app
from backend.cli.ports import free_ports
from backend.settings import BackendSettings
from cleanplate.runtime.store import sqlite
from tests.faults.faulty import (
    DETECT,
    MASK,
    PROGRESS,
    RESULT,
    STATUS,
    SUBMIT,
    Fault,
    Faulty,
    Gate,
    answering,
    breaking_off,
    half_closed,
    silent,
    truncated,
)
from tests.faults.services import picture
from tests.wires.serving import Live

JOBS = "/api/v1/jobs"
FAULTS: dict[str, Fault] = {
    "500": answering(500),
    "502 with a page": answering(502, "<html>Bad Gateway</html>"),
    "503": answering(503),
    "429": answering(429, Retry_After="0"),
    "no JSON and no picture": answering(200, "<html>Welcome</html>"),
    "half a body": truncated,
    "half-closed": half_closed,
    "silent": silent,
}
CALLS = [(fault, path) for fault in FAULTS for path in (DETECT, MASK, SUBMIT, RESULT)]
CALLS.remove(("no JSON and no picture", SUBMIT))  # its answer is not read

Backend = Live[BackendSettings]
Start = Callable[..., Backend]


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    with Faulty() as services:
        yield services


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a backend with these services, and these settings."""
    monkeypatch.setattr(clients, "FIRST_PAUSE_S", 0.01)
    started: list[Backend] = []

    def start(url: str, **more: Any) -> Backend:
        given = {"data": tmp_path, "ocr_url": url, "inpaint_url": url, "call_timeout_s": 2, "patience_s": 60, **more}
        settings = BackendSettings(**given)
        live = Live(make_app(settings), settings)
        started.append(live)
        live.start()
        return live

    yield start
    for live in started:
        live.stop()


@pytest.fixture
def backend(start: Start, faulty: Faulty) -> Backend:
    return start(faulty.url)


def submit(backend: Backend) -> str:
    answer = backend.post(JOBS, files={"file": picture(0)})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def ended(backend: Backend, job: str, status: str = "succeeded") -> dict[str, Any]:
    view: dict[str, Any] = backend.get(f"{JOBS}/{job}?wait=30").json()
    assert view["status"] == status, view
    return view


def told(backend: Backend, job: str, type_: str) -> list[str]:
    """Return the reasons that the job's log gives in events of a type."""
    lines = backend.get(f"{JOBS}/{job}/events").text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    return [f"{event['data']['service']}: {event['data']['reason']}" for event in events if event["type"] == type_]


def test_services_that_are_down_at_submit_are_waited_for(start: Start) -> None:
    (port,) = free_ports("127.0.0.1", 1)
    backend = start(f"http://127.0.0.1:{port}")
    job = submit(backend)
    with backend.socket(f"/api/v1/ws/jobs/{job}") as talk:
        waiting = talk.hear_until("retrying")[-1]["data"]
    assert waiting["service"] == "ocr-service"
    assert "does not answer" in waiting["reason"]
    with Faulty(port):
        ended(backend, job)


@pytest.mark.parametrize(("fault", "path"), CALLS)
def test_a_call_that_fails_once_is_made_again_and_the_log_says_why(
    backend: Backend, faulty: Faulty, fault: str, path: str
) -> None:
    again = (fault, path) == ("half-closed", RESULT)  # aiohttp repeats a GET itself where a kept connection was closed
    faulty.faults[path] = [FAULTS[fault]] * (1 + again)
    job = submit(backend)
    ended(backend, job)
    (reason,) = told(backend, job, "retrying")
    assert reason.startswith("ocr-service: " if path == DETECT else "inpaint-service: ")
    assert faulty.asked.count(SUBMIT) == 1 + (path == SUBMIT)
    assert len(faulty.tasks) == 1


@pytest.mark.parametrize("fault", ["500", "no JSON and no picture", "half-closed"])
def test_a_progress_that_breaks_off_is_taken_up_again(backend: Backend, faulty: Faulty, fault: str) -> None:
    faulty.faults[PROGRESS] = [FAULTS[fault]] * 2
    faulty.faults[STATUS] = [FAULTS[fault]]
    job = submit(backend)
    ended(backend, job)
    (reason,) = told(backend, job, "reconnecting")
    assert reason.startswith("inpaint-service: ")


def test_a_service_that_restarts_in_the_middle_is_seen_by_nothing_but_a_reconnect(
    backend: Backend, faulty: Faulty
) -> None:
    faulty.faults[PROGRESS] = [breaking_off, answering(503), answering(503)]
    faulty.faults[STATUS] = [answering(503)] * 3
    job = submit(backend)
    with backend.socket(f"/api/v1/ws/jobs/{job}") as talk:
        heard = talk.hear_until("succeeded", "failed")
    assert [event["seq"] for event in heard] == list(range(1, len(heard) + 1))
    assert [event["type"] for event in heard if event["type"] != "progress"] == [
        "queued", "started", "task_chosen", "reconnecting", "succeeded"
    ]  # fmt: skip
    assert [event["data"]["message"] for event in heard if event["data"].get("stage") == "inpainting"] == [
        "half of it", "step 1 of 1", "repainted"
    ]  # fmt: skip
    assert faulty.asked.count(SUBMIT) == 1


def test_a_service_that_asks_to_wait_is_left_alone_that_long_and_the_log_says_so(
    backend: Backend, faulty: Faulty
) -> None:
    faulty.faults[DETECT] = [answering(429, Retry_After="1")]
    job = submit(backend)
    ended(backend, job)
    assert told(backend, job, "retrying") == [
        "ocr-service: ocr-service answered 429: out of order; it asks to wait 1 s"
    ]


def test_a_fault_that_lasts_fails_the_job_with_its_reason_and_a_retry_goes_on_there(
    start: Start, faulty: Faulty
) -> None:
    backend = start(faulty.url, patience_s=0.2)
    faulty.faults[MASK] = [answering(503)] * 1000
    job = submit(backend)
    view = ended(backend, job, "failed")
    assert (view["error"]["code"], view["error"]["retryable"]) == ("upstream_failed", True)
    assert "inpaint-service answered 503: out of order" in view["error"]["detail"]
    faulty.faults[MASK].clear()
    before = faulty.asked.count(DETECT)
    assert backend.post(f"{JOBS}/{job}/retry").status_code == 202
    ended(backend, job)
    assert faulty.asked.count(DETECT) == before + 1  # the look afterwards


def test_a_full_disk_refuses_the_picture_and_keeps_nothing_of_it(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(monkeypatch)
    answer = backend.post(JOBS, files={"file": picture(0)})
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert answer.headers["Retry-After"]
    monkeypatch.undo()
    assert [path for path in (backend.settings.data / "files").rglob("*") if path.is_file()] == []
    assert backend.get(JOBS).json()["jobs"] == []
    ended(backend, submit(backend))


def test_a_disk_that_fills_while_a_job_runs_fails_it_with_the_reason_and_a_retry_goes_on(
    backend: Backend, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.faults[MASK] = [gate := Gate()]
    job = submit(backend)
    gate.begun()
    _fill(monkeypatch)
    gate.open()
    assert ended(backend, job, "failed")["error"]["code"] == "storage_full"
    monkeypatch.undo()
    backend.post(f"{JOBS}/{job}/retry")
    ended(backend, job)
    assert all(not path.name.startswith(".") for path in (backend.settings.data / "files" / job).iterdir())


def test_a_submit_waits_for_a_database_that_is_locked_for_a_while(backend: Backend) -> None:
    found: list[str] = []
    with _locked(backend) as other:
        submitting = threading.Thread(target=lambda: found.append(submit(backend)))
        submitting.start()
        assert backend.get("/livez").status_code == 200
        other.rollback()
        submitting.join()
    ended(backend, found[0])


def test_a_database_that_stays_locked_is_told_and_costs_no_job(
    start: Start, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 100)
    backend = start(faulty.url)
    faulty.faults[DETECT] = [gate := Gate()]
    job = submit(backend)
    gate.begun()
    with _locked(backend) as other:
        answer = backend.post(JOBS, files={"file": picture(1)})
        assert (answer.status_code, answer.json()["code"]) == (503, "store_busy")
        assert answer.headers["Retry-After"]
        assert backend.get("/livez").status_code == 200
        gate.open()
        assert backend.until(lambda: (backend.settings.data / "files" / job / "regions.json").exists())
        assert backend.post(f"{JOBS}/{job}/cancel").status_code == 503
        other.rollback()
    ended(backend, job)
    assert faulty.asked.count(DETECT) == 2


def _fill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file be cut off by a disk that is full."""

    def cut(_: LocalFileSystem, path: str, data: bytes, **__: Any) -> None:
        Path(path).parent.mkdir(exist_ok=True, parents=True)
        Path(path).write_bytes(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LocalFileSystem, "pipe_file", cut)


def _locked(backend: Backend) -> closing[sqlite3.Connection]:
    """Lock the backend's database from outside."""
    connection = sqlite3.connect(backend.settings.data / "jobs.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return closing(connection)
