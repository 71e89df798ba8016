"""Two hundred kills over a queue of a hundred jobs: none is lost, none gives anything else than it would have given.

The processes are killed at moments that a seed decides, each again and again while the others run on; jobs are
submitted meanwhile, so that there is always a queue. Only when all kills are done are the jobs left in peace.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.cli.launches import BACKEND, INPAINT, OCR
from cleanplate.contract.messages import Event
from cleanplate.runtime.jobs import FINAL, Job
from cleanplate.runtime.store.sql import SqlStore
from tests.faults.services import PATIENCE_S, Service, Services, picture

SEED = 20
JOBS, PICTURES = 100, 10
NUMBERS = range(PICTURES)
KILLS = {BACKEND: 120, INPAINT: 50, OCR: 30}
LONGEST_LIFE = {BACKEND: 1.5, INPAINT: 4.0, OCR: 8.0}  # in times that a job usually takes
MOST = 10_000

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Services(tmp_path_factory.mktemp("kills")) as running:
        yield running


@pytest.fixture(scope="module")
def expected(services: Services) -> list[str]:
    """What each picture gives when nobody is killed."""
    return [result(services.backend, submitted(services.backend, f"peace {number}", number)) for number in NUMBERS]


@pytest.fixture(scope="module")
def usual_s(services: Services, expected: list[str]) -> float:
    """How long a job takes when nobody is killed."""
    began = time.monotonic()
    for number in NUMBERS:
        result(services.backend, submitted(services.backend, f"time {number}", number))
    return (time.monotonic() - began) / PICTURES


@pytest.fixture(scope="module")
def ends(services: Services, usual_s: float) -> dict[str, dict[str, Any]]:
    """How the jobs ended that lived through all the kills, by id in the order of their submits."""
    print(f"seed {SEED}, a job usually takes {usual_s:.2f} s")  # noqa: T201 - whoever repeats a failure needs it
    killed = threading.Semaphore(0)
    with ThreadPoolExecutor() as pool:
        for name, most in LONGEST_LIFE.items():
            pool.submit(kill, services.of[name], random.Random(f"{SEED} {name}"), most * usual_s, killed)
        submitting = pool.submit(submit_all, services.backend, killed)
    return {job: ended(services.backend, job) for job in submitting.result()}


@pytest.fixture(scope="module")
def jobs(ends: dict[str, dict[str, Any]]) -> list[str]:
    """The ids of these jobs."""
    return list(ends)


def kill(service: Service, chance: random.Random, most_s: float, killed: threading.Semaphore) -> None:
    """Kill the service as often as it is its turn, each time a moment after it has come up."""
    for _ in range(KILLS[service.name]):
        time.sleep(chance.uniform(0, most_s))
        service.restart()
        killed.release()
        service.until_ready()


def submit_all(backend: Service, killed: threading.Semaphore) -> list[str]:
    """Submit all jobs, the first ten at once and the others spread over the kills."""
    found = []
    for number in range(JOBS):
        if number >= 10:
            killed.acquire(timeout=PATIENCE_S)
            killed.acquire(timeout=PATIENCE_S)
        found.append(submitted(backend, f"job {number}", number % PICTURES))
    return found


def submitted(backend: Service, key: str, number: int) -> str:
    """Submit a picture under that idempotency key until there is an answer; return the job's id."""
    files, headers = {"file": picture(number)}, {"Idempotency-Key": key}
    return str(asked(backend, "POST", "/api/v1/jobs", files=files, headers=headers).json()["job_id"])


def asked(backend: Service, method: str, path: str, **more: Any) -> httpx.Response:
    """Ask until there is an answer."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            response = backend.http.request(method, path, **more)
            assert response.status_code < 400, response.text
            return response
        except httpx.TransportError:
            assert time.monotonic() < end
            time.sleep(0.02)


def ended(backend: Service, job_id: str) -> dict[str, Any]:
    """Return a job's view when it has ended, or when it does not."""
    end = time.monotonic() + PATIENCE_S
    while True:
        view: dict[str, Any] = asked(backend, "GET", f"/api/v1/jobs/{job_id}?wait=30").json()
        if view["status"] not in ("queued", "running") or time.monotonic() > end:
            return view


def result(backend: Service, job_id: str) -> str:
    """Return the digest of a job's picture once it has succeeded."""
    view = ended(backend, job_id)
    assert view["status"] == "succeeded", view
    return hashlib.sha256(asked(backend, "GET", f"/api/v1/jobs/{job_id}/result").content).hexdigest()


def logs(url: str) -> dict[str, tuple[Job, list[Event]]]:
    """Return every job of a store with its log."""
    store = SqlStore(url)
    found = [
        job
        for kind in ("erase", "inpaint")
        for job in store.list_jobs(kind=kind, owner=None, states=(), before=None, limit=MOST)
    ]
    told = {job.id: (job, store.events(job.id, 0, MOST)) for job in found}
    store.close()
    return told


def test_every_job_succeeds(ends: dict[str, dict[str, Any]]) -> None:
    assert len(ends) == JOBS
    assert [view["error"] or view for view in ends.values() if view["status"] != "succeeded"] == []


def test_every_job_gives_what_it_would_have_given(services: Services, jobs: list[str], expected: list[str]) -> None:
    found = [result(services.backend, job) for job in jobs]
    assert found == [expected[number % PICTURES] for number in range(JOBS)]
    assert len(set(expected)) == PICTURES


def test_every_log_has_no_gap_and_one_end_and_its_progress_only_grows(services: Services, jobs: list[str]) -> None:
    told = logs(services.store(BACKEND))
    assert told.keys() >= set(jobs)
    for job, events in told.values():
        assert [event.seq for event in events] == list(range(1, job.seq + 1))
        progress = [event.data["progress"] for event in events if event.type == "progress"]
        assert progress == sorted(set(progress))
        assert [event.type for event in events if event.type in FINAL] == ["succeeded"]
        assert events[-1].type == "succeeded"


def test_the_text_of_each_picture_was_looked_for_once(services: Services, jobs: list[str]) -> None:
    for job, events in logs(services.store(BACKEND)).values():
        looked = [event for event in events if event.data.get("stage") == "detecting"]
        assert len(looked) == 1, job.id


def test_no_painting_was_done_twice_and_none_is_left_over(services: Services, jobs: list[str]) -> None:
    tasks = logs(services.store(INPAINT))
    chosen = {
        event.data["task_id"]: job.id
        for job, events in logs(services.store(BACKEND)).values()
        for event in events
        if event.type == "task_chosen"
    }
    assert tasks.keys() == chosen.keys()
    for task, events in tasks.values():
        assert [event.seq for event in events] == list(range(1, task.seq + 1))
        assert [event.type for event in events if event.type in FINAL] == ["succeeded"]
    per_job = [sum(job == other for other in chosen.values()) for job in jobs]
    assert per_job == [1] * JOBS


def test_the_processes_were_killed_while_jobs_ran(services: Services, jobs: list[str]) -> None:
    told = [*logs(services.store(BACKEND)).values(), *logs(services.store(INPAINT)).values()]
    taken_over = sum(event.type == "requeued" for _, events in told for event in events)
    assert taken_over > JOBS, taken_over


def test_no_file_is_left_over(services: Services, jobs: list[str]) -> None:
    files = services.data / BACKEND / "files"
    assert {folder.name for folder in files.iterdir()} >= set(jobs)
    for job_id in logs(services.store(BACKEND)):
        kept = {name.split(".", 1)[-1] for name in _names(files / job_id)}
        assert kept <= {"input", "json", "png", "result"}, job_id
        asked(services.backend, "DELETE", f"/api/v1/jobs/{job_id}")
    assert list(files.iterdir()) == []


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]  # a write that a kill cut short
