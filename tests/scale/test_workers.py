"""Jobs of all three services while workers are killed and servers are away: none is lost, none is done twice.

`CLEANPLATE_SCALE_JOBS=200` of the environment makes the run longer.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cleanplate.contract.messages import Event
from cleanplate.runtime.jobs import FINAL, Job, State
from cleanplate.runtime.store.sql import SqlStore
from tests.fakes.pages import document
from tests.faults.services import picture
from tests.scale.crews import Crew
from tests.scale.servers import Postgres, Redis
from tests.wires.pictures import order

JOBS = int(os.environ.get("CLEANPLATE_SCALE_JOBS", "100"))
MORE = 40
PICTURES = 10
KILL_EVERY_S = 5.0
SEED = 7
SUCCEEDED = {"completed", "succeeded"}

pytestmark = pytest.mark.timeout(1200)


@dataclass(frozen=True)
class Crews:
    """The three services. A job's number says what it is: four of ten are pictures, three tasks, three documents."""

    backend: Crew
    inpaint: Crew
    ocr: Crew

    def all(self) -> list[Crew]:
        return [self.backend, self.inpaint, self.ocr]

    def submit(self, name: str, number: int) -> tuple[Crew, str]:
        """Submit a job to one of the replicas of its service; return whose it is and its id."""
        if number % 10 < 4:
            return self.backend, self.erase(f"{name}-{number}", number)
        if number % 10 < 7:
            return self.inpaint, self.paint(f"{name}-{number}", number)
        return self.ocr, self.read(number)

    def erase(self, key: str, number: int) -> str:
        headers, files = {"Idempotency-Key": key}, {"file": picture(number % PICTURES)}
        return self._posted(self.backend, number, "/api/v1/jobs", "job_id", headers=headers, files=files)

    def paint(self, task: str, number: int) -> str:
        return self._posted(self.inpaint, number, "/api/v1/inpaint-regions-async", "task_id", json=order(task_id=task))

    def read(self, number: int) -> str:
        files = {"file": ("scan.tiff", document(1, "TIFF"))}
        return self._posted(self.ocr, number, "/v1/documents", "job_id", files=files)

    def _posted(self, crew: Crew, number: int, path: str, name: str, **more: object) -> str:
        answer = crew.replicas[number % 2].post(path, **more)  # type: ignore[arg-type]
        assert answer.status_code < 300, answer.text
        return str(answer.json()[name])


@pytest.fixture(scope="module")
def crews(postgres: Postgres, redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crews]:
    folder = tmp_path_factory.mktemp("crews")
    ocr = Crew("ocr_service", 3, postgres, redis, folder)
    inpaint = Crew("inpaint_service", 4, postgres, redis, folder, IOPAINT_MODEL="auto")
    others = {"BACKEND_OCR_URL": ocr.urls[0], "BACKEND_INPAINT_URL": inpaint.urls[1], "BACKEND_SLOTS": "2"}
    with ocr, inpaint, Crew("backend", 3, postgres, redis, folder, **others) as backend:
        yield Crews(backend, inpaint, ocr)


def kill_some(crews: list[Crew], over: threading.Event) -> Counter[str]:
    """Kill a worker and replace it, again and again until it is over; return how often, by the kind of its jobs.

    On a slow machine the next one is killed later: not before a job has ended since.
    """
    chance, kills, before = random.Random(SEED), Counter[str](), 0
    while not over.wait(KILL_EVERY_S):
        if (done := sum(succeeded(crew) for crew in crews)) > before:
            crew = chance.choice(crews)
            crew.kill(chance.randrange(len(crew.workers)))
            kills[crew.kind.jobs] += 1
            before = done
    return kills


def succeeded(crew: Crew) -> int:
    """Return how many jobs of a crew have succeeded."""
    store = SqlStore(crew.store)
    counts = store.counts(crew.kind.jobs)
    store.close()
    return counts.get(State.SUCCEEDED, 0)


def logs(crew: Crew) -> dict[str, tuple[Job, list[Event]]]:
    """Return the jobs of a crew with their logs."""
    store = SqlStore(crew.store)
    found = store.list_jobs(kind=crew.kind.jobs, owner=None, states=(), before=None, limit=1000)
    told = {job.id: (job, store.events(job.id, 0, 1000)) for job in found}
    store.close()
    return told


def check(crews: Crews, jobs: list[tuple[Crew, str]]) -> None:
    """Every job has one log without a gap and with one end, and what a picture needed painted was painted once."""
    told = {crew.kind.jobs: logs(crew) for crew in crews.all()}
    assert {job for _, job in jobs} <= {job for kept in told.values() for job in kept}
    for job, events in (each for kept in told.values() for each in kept.values()):
        assert [event.seq for event in events] == list(range(1, job.seq + 1))
        assert [event.type for event in events if event.type in FINAL] == ["succeeded"], events
        progress = [event.data["progress"] for event in events if event.type == "progress"]
        assert progress == sorted(set(progress))
    chosen = [
        event.data["task_id"] for _, events in told["erase"].values() for event in events if event.type == "task_chosen"
    ]
    ordered = [job for crew, job in jobs if crew is crews.inpaint]
    assert Counter(chosen).most_common(1)[0][1] == 1
    assert len(chosen) == len(told["erase"])
    assert told["inpaint"].keys() >= {*chosen, *ordered}


def digest(crew: Crew, job: str, path: str) -> str:
    """Return the digest of what a job gave."""
    assert crew.ended(job) in SUCCEEDED
    answer = crew.replicas[1].get(path.format(job))
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()


def erased(crews: Crews, job: str) -> str:
    return digest(crews.backend, job, "/api/v1/jobs/{}/result")


def painted(crews: Crews, task: str) -> str:
    return digest(crews.inpaint, task, "/api/v1/task-result/{}")


def test_jobs_outlive_the_workers_that_are_killed(crews: Crews) -> None:
    pictures = [erased(crews, crews.erase(f"in-peace-{number}", number)) for number in range(PICTURES)]
    painting = painted(crews, crews.paint("in-peace", 0))
    began, over, kills = time.monotonic(), threading.Event(), list[Counter[str]]()
    killing = threading.Thread(target=lambda: kills.append(kill_some(crews.all(), over)))
    killing.start()
    try:
        jobs = [crews.submit("killed", number) for number in range(JOBS)]
        ends = Counter(crew.ended(job) for crew, job in jobs)
    finally:
        over.set()
        killing.join()
    print(f"{dict(ends)}, {time.monotonic() - began:.1f} s, kills by kind: {dict(*kills)}")  # noqa: T201
    assert ends.keys() <= SUCCEEDED
    check(crews, jobs)
    for number, (crew, job) in enumerate(jobs):
        if crew is crews.backend:
            assert erased(crews, job) == pictures[number % PICTURES]
        elif crew is crews.inpaint:
            assert painted(crews, job) == painting
    assert kills[0].total() > 0


def test_jobs_outlive_a_redis_and_a_postgresql_that_are_away(crews: Crews, redis: Redis, postgres: Postgres) -> None:
    jobs = [crews.submit("redis", number) for number in range(MORE)]
    redis.stop()
    for crew in crews.all():
        crew.says("wake-ups are not shared")
    jobs += [crews.submit("without-redis", number) for number in range(10)]  # taken, and begun when it is back
    redis.start()
    for crew in crews.all():
        crew.says("wake-ups are shared again after")
    jobs += [crews.submit("postgresql", number) for number in range(MORE)]
    postgres.stop()
    for crew in crews.all():
        crew.says("the job store does not answer")
        refused = crew.replicas[0].get(crew.kind.path.format(jobs[0][1]))
        assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (503, True)
    postgres.start()
    ends = Counter(crew.ended(job) for crew, job in jobs)
    assert ends.keys() <= SUCCEEDED, ends
    check(crews, jobs)
