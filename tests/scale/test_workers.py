"""Two hundred jobs while workers are killed and servers restarted: none is lost, none is done twice."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from cleanplate.contract.messages import Event
from cleanplate.runtime.jobs import FINAL, Job
from cleanplate.runtime.store.sql import SqlStore
from tests.fakes.pages import document
from tests.scale.crews import Crew
from tests.scale.servers import Postgres, Redis
from tests.wires.pictures import order

TASKS, DOCUMENTS, MORE = 130, 70, 60
KILL_EVERY_S = 5.0
SEED = 7
TASK, DOCUMENT = "/api/v1/task-status/{}", "/v1/jobs/{}"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def inpaint(postgres: Postgres, redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    folder = tmp_path_factory.mktemp("inpaint")
    with Crew("inpaint_service", 4, postgres, redis, folder, IOPAINT_MODEL="auto") as crew:
        yield crew


@pytest.fixture(scope="module")
def ocr(postgres: Postgres, redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    with Crew("ocr_service", 3, postgres, redis, tmp_path_factory.mktemp("ocr")) as crew:
        yield crew


def paint(crew: Crew, task: str, number: int) -> str:
    """Submit a task to one of the replicas; return its id."""
    answer = crew.replicas[number % 2].post("/api/v1/inpaint-regions-async", json=order(task_id=task))
    assert answer.status_code < 300, answer.text
    return task


def read(crew: Crew, number: int) -> str:
    """Submit a document to one of the replicas; return its id."""
    answer = crew.replicas[number % 2].post("/v1/documents", files={"file": ("scan.tiff", document(1, "TIFF"))})
    assert answer.status_code < 300, answer.text
    return str(answer.json()["job_id"])


def logs(crew: Crew, kind: str) -> dict[str, tuple[Job, list[Event]]]:
    """Return the jobs of a crew with their logs."""
    store = SqlStore(crew.store)
    found = store.list_jobs(kind=kind, owner=None, states=(), before=None, limit=1000)
    told = {job.id: (job, store.events(job.id, 0, 1000)) for job in found}
    store.close()
    return told


def kill_some(crews: list[Crew], over: threading.Event) -> int:
    """Kill a worker and replace it, again and again until it is over; return how often."""
    chance, kills = random.Random(SEED), 0
    while not over.wait(KILL_EVERY_S):
        crew = chance.choice(crews)
        crew.kill(chance.randrange(len(crew.workers)))
        kills += 1
    return kills


def ends(crew: Crew, jobs: list[str], path: str) -> Counter[str]:
    return Counter(crew.ended(job, path) for job in jobs)


def check(crew: Crew, kind: str, jobs: list[str]) -> None:
    """Every job has one log without a gap and with one end."""
    told = logs(crew, kind)
    assert told.keys() >= set(jobs)
    for job, events in told.values():
        assert [event.seq for event in events] == list(range(1, job.seq + 1))
        assert [event.type for event in events if event.type in FINAL] == ["succeeded"], events
        progress = [event.data["progress"] for event in events if event.type == "progress"]
        assert progress == sorted(set(progress))


def test_jobs_outlive_the_workers_that_are_killed(inpaint: Crew, ocr: Crew) -> None:
    began, over, kills = time.monotonic(), threading.Event(), [0]
    killing = threading.Thread(target=lambda: kills.append(kill_some([inpaint, ocr], over)))
    expected = picture_of(inpaint, paint(inpaint, "in-peace", 0))
    killing.start()
    try:
        tasks = [paint(inpaint, f"task-{number}", number) for number in range(TASKS)]
        documents = [read(ocr, number) for number in range(DOCUMENTS)]
        painted, were_read = ends(inpaint, tasks, TASK), ends(ocr, documents, DOCUMENT)
    finally:
        over.set()
        killing.join()
    print(f"{TASKS + DOCUMENTS} jobs, {kills[-1]} kills, {time.monotonic() - began:.1f} s")  # noqa: T201
    assert (painted, were_read) == (Counter(completed=TASKS), Counter(succeeded=DOCUMENTS))
    check(inpaint, "inpaint", tasks)
    check(ocr, "document", documents)
    assert {picture_of(inpaint, task) for task in tasks} == {expected}
    assert kills[-1] > 0


def test_jobs_outlive_a_restart_of_redis_and_of_postgresql(inpaint: Crew, redis: Redis, postgres: Postgres) -> None:
    tasks = [paint(inpaint, f"first-{number}", number) for number in range(MORE)]
    redis.stop()
    redis.start()
    assert ends(inpaint, tasks, TASK) == Counter(completed=MORE)
    more = [paint(inpaint, f"second-{number}", number) for number in range(MORE)]
    postgres.stop()
    postgres.start()
    assert ends(inpaint, more, TASK) == Counter(completed=MORE)
    check(inpaint, "inpaint", tasks + more)
    said = inpaint.log.read_text()
    assert "wake-ups are shared again" in said
    assert "the job store does not answer" in said


def picture_of(crew: Crew, task: str) -> str:
    """Return the digest of what a task gave."""
    assert crew.ended(task, TASK) == "completed"
    answer = crew.replicas[1].get(f"/api/v1/task-result/{task}")
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()
