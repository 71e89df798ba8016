"""A backend that is killed in each stage of a job: the next one goes on in that stage and repeats none before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from backend.cli.launches import BACKEND
from cleanplate.runtime.store.sql import SqlStore
from tests.faults.faulty import DETECT, MASK, PROGRESS, RESULT, SUBMIT, Faulty, Gate
from tests.faults.services import PATIENCE_S, Services, picture

STAGES = {
    "detecting": (DETECT, 0, {DETECT: 3, MASK: 1, SUBMIT: 1, RESULT: 1}),
    "being handed in": (SUBMIT, 0, {DETECT: 2, MASK: 1, SUBMIT: 2, RESULT: 1}),
    "masking": (MASK, 0, {DETECT: 2, MASK: 2, SUBMIT: 2, RESULT: 1}),
    "inpainting": (PROGRESS, 0, {DETECT: 2, MASK: 1, SUBMIT: 2, RESULT: 1}),
    "being fetched": (RESULT, 0, {DETECT: 2, MASK: 1, SUBMIT: 2, RESULT: 2}),
    "verifying": (DETECT, 1, {DETECT: 3, MASK: 1, SUBMIT: 1, RESULT: 1}),
}
"""Where it is killed: at the call, the how manieth of these, and how often each is made in the end."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Services, Faulty]]:
    """A real backend whose two services are such that hold a call."""
    folder: Path = tmp_path_factory.mktemp("stages")
    with ExitStack() as stack:
        faulty = stack.enter_context(Faulty())
        urls = {"BACKEND_OCR_URL": faulty.url, "BACKEND_INPAINT_URL": faulty.url}
        yield stack.enter_context(Services(folder, (BACKEND,), **urls)), faulty


def submit(services: Services, name: str) -> str:
    answer = services.backend.http.post("/api/v1/jobs", files={"file": picture(0)}, headers={"Idempotency-Key": name})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def succeeded(services: Services, job: str) -> dict[str, Any]:
    services.backend.until_ready()
    view: dict[str, Any] = services.backend.http.get(f"/api/v1/jobs/{job}?wait=60").json()
    assert view["status"] == "succeeded", view
    store = SqlStore(services.store(BACKEND))
    events = store.events(job, 0, 1000)
    store.close()
    assert [event.seq for event in events] == list(range(1, view["seq"] + 1))
    progress = [event.data["progress"] for event in events if event.type == "progress"]
    assert progress == sorted(set(progress))
    return view


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_goes_on_in_the_stage_in_which_its_backend_was_killed(
    running: tuple[Services, Faulty], stage: str
) -> None:
    services, faulty = running
    path, calls_before, expected = STAGES[stage]
    gate = Gate()
    faulty.asked.clear()
    faulty.faults[path] = [*[passing] * calls_before, gate]
    job = submit(services, stage)
    gate.begun()
    services.backend.restart()
    gate.open()
    view = succeeded(services, job)
    assert view["attempt"] == 2
    assert {path: faulty.asked.count(path) for path in expected} == expected
    assert submit(services, stage) == job


def test_a_job_whose_backend_is_killed_while_its_result_is_kept_ends_with_one_result(
    running: tuple[Services, Faulty],
) -> None:
    services, faulty = running
    faulty.asked.clear()
    job = submit(services, "finalizing")
    kept = services.data / BACKEND / "files" / job / "result"
    end = time.monotonic() + PATIENCE_S
    while not kept.exists():
        assert time.monotonic() < end
    services.backend.restart()
    succeeded(services, job)
    assert (faulty.asked.count(DETECT), faulty.asked.count(RESULT)) == (2, 1)
    assert len(list(kept.parent.iterdir())) == 4  # what came, the regions, the mask, the result


async def passing(_: object) -> None:
    """Be no fault."""
