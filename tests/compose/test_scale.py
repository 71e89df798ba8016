"""The three services with PostgreSQL, Redis and workers in containers, and a worker killed every few seconds.

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

import pytest
import requests
import yaml

from tests.compose.project import Project, is_healthy, output
from tests.conftest import ROOT
from tests.e2e.jobs import PATIENCE_S, Job, check_log, submit
from tests.e2e.pictures import busy_regions, noisy_text, png
from tests.fakes.pages import document

JOBS = int(os.environ.get("CLEANPLATE_SCALE_JOBS", "40"))
WORKERS = {"inpaint-worker": 4, "ocr-worker": 3}
PROCESSES = {"backend": 1, "ocr-service": 4, "inpaint-service": 5}
SCRAPED_S = 120.0
KILL_EVERY_S = 5.0
SEED = 7
MADE = "/docker-entrypoint-initdb.d/scale.sql"

pytestmark = pytest.mark.timeout(4000)


@pytest.fixture(scope="module")
def project(scale_images: None) -> Iterator[Project]:
    leases = {"BACKEND_LEASE_S": "5", "INPAINT_LEASE_S": "5", "OCR_LEASE_S": "5", "BACKEND_PATIENCE_S": "300"}
    settings = {**leases, "GRAFANA_PASSWORD": "secret", "PROMETHEUS_PORT": "0"}
    overlays, services = ["scale.yaml", "monitoring.yaml"], ["backend", *WORKERS]
    project = Project(ROOT, "cleanplate-test-scale", settings, overlays=overlays, services=services, scale=WORKERS)
    try:
        make_databases(project)
        with project:
            yield project
    finally:
        project.down()


def make_databases(project: Project) -> None:
    """Run what is mounted for that, where the image of PostgreSQL does not do it by itself."""
    project.up("postgres")
    while not project.healthy("postgres"):
        time.sleep(0.2)
    if "backend" not in asked(project, "postgres", "--command", "SELECT datname FROM pg_database"):
        asked(project, "postgres", "--file", MADE)


def asked(project: Project, database: str, *arguments: str) -> list[str]:
    """Return the lines that PostgreSQL answers."""
    told = ("--env", "PGPASSWORD=cleanplate", project.container("postgres")["Id"])
    psql = ("psql", "--host=127.0.0.1", "--username=cleanplate", f"--dbname={database}", "--tuples-only", "--no-align")
    return output("docker", "exec", *told, *psql, *arguments).split()


def read(url: str) -> str:
    """Submit a document; return its id."""
    answer = requests.post(f"{url}/v1/documents", files={"file": ("a.tiff", document(1, "TIFF"))}, timeout=PATIENCE_S)
    assert answer.status_code < 300, answer.text
    return str(answer.json()["job_id"])


def was_read(url: str, job: str) -> str:
    """Return how a document's job ended."""
    while True:
        view = requests.get(f"{url}/v1/jobs/{job}", timeout=PATIENCE_S).json()
        if view["status"] not in ("queued", "running"):
            return str(view["status"])
        time.sleep(0.5)


def kill_some(project: Project, over: threading.Event) -> Counter[str]:
    """Kill a worker that is up, one every few seconds until it is over; Docker starts another.

    Return how often, by service.
    """
    chance, kills, due = random.Random(SEED), Counter[str](), time.monotonic()
    while not over.wait(max(0.0, due - time.monotonic())):
        due += KILL_EVERY_S
        up = [(service, worker) for service in WORKERS for worker in project.containers(service) if is_healthy(worker)]
        if up:
            service, worker = chance.choice(up)
            project.kill(worker)
            kills[service] += 1
    return kills


def digest(job: Job) -> str:
    return hashlib.sha256(job.file("result")).hexdigest()


def test_jobs_outlive_the_workers_that_are_killed(project: Project) -> None:
    pictures = [png(noisy_text(640, height, busy_regions(640, height, 4))) for height in range(400, 440, 8)]
    expected = [submit(project.url, picture, verify=False) for picture in pictures]
    assert {job.end()["status"] for job in expected} == {"succeeded"}
    began, over, kills, url = (
        time.monotonic(),
        threading.Event(),
        list[Counter[str]](),
        f"http://{project.address('ocr-service')}:8082",
    )
    killing = threading.Thread(target=lambda: kills.append(kill_some(project, over)))
    killing.start()
    try:
        erased = [
            submit(project.url, pictures[number % len(pictures)], verify=False) for number in range(JOBS * 2 // 3)
        ]
        documents = [read(url) for _ in range(JOBS - len(erased))]
        ends = Counter([*(job.end()["status"] for job in erased), *(was_read(url, job) for job in documents)])
    finally:
        over.set()
        killing.join()
    print(f"{dict(ends)}, {time.monotonic() - began:.0f} s, kills: {dict(*kills)}")  # noqa: T201
    assert ends == Counter(succeeded=JOBS)
    assert kills[0].total() > 0
    for number, job in enumerate(erased):
        check_log(job.log())
        assert digest(job) == digest(expected[number % len(pictures)])
    check_nothing_was_done_twice(project, len(erased) + len(pictures), len(documents))


def check_nothing_was_done_twice(project: Project, pictures: int, documents: int) -> None:
    """There is one job for each that was submitted, one task for each picture, and one end in each log."""
    jobs = "SELECT kind, state, count(*) FROM jobs WHERE kind IN ('erase', 'inpaint', 'document') GROUP BY 1, 2"
    ends = (
        "SELECT count(*) FROM (SELECT job_id FROM events WHERE type = 'succeeded' GROUP BY 1 HAVING count(*) > 1) AS a"
    )
    for database, kind, count in (
        ("backend", "erase", pictures),
        ("inpaint", "inpaint", pictures),
        ("ocr", "document", documents),
    ):
        assert asked(project, database, "--command", jobs) == [f"{kind}|succeeded|{count}"]
        assert asked(project, database, "--command", ends) == ["0"]


def test_prometheus_finds_the_services_and_their_workers(project: Project) -> None:
    available(yaml.safe_load(project.compose("config"))["services"]["prometheus"]["image"])
    project.up("--no-deps", "prometheus")
    url, wanted = f"http://{project.address('prometheus')}:9090/api/v1/query?query=up", Counter(PROCESSES)
    end = time.monotonic() + SCRAPED_S
    while (found := up(url)) != wanted:
        assert time.monotonic() < end, found
        time.sleep(1)


def available(image: str) -> None:
    """See that there is such an image; where none can be had, that is a failure in CI only."""
    try:
        output("docker", "image", "inspect", image)
    except AssertionError:
        try:
            output("docker", "pull", "--quiet", image, limit_s=600)
        except AssertionError as missing:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(missing))


def up(url: str) -> Counter[str]:
    """Return how many processes of which service Prometheus has scraped."""
    try:
        answer = requests.get(url, timeout=10)
    except requests.ConnectionError:  # it is just starting
        return Counter()
    found = answer.json()["data"]["result"] if answer.status_code == 200 else []
    return Counter(sample["metric"]["job"] for sample in found if sample["value"][1] == "1")
