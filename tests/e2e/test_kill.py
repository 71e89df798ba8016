"""Killing each service with SIGKILL in the middle of a job: the job ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from backend.cli.services import Services
from tests.conftest import ROOT
from tests.e2e.jobs import PATIENCE_S, Job, check_log, submit
from tests.e2e.pictures import busy_regions, noisy_text, png

SEED = 20
MOMENTS = 2

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Services of our own, with leases so short that a test need not wait long."""
    environment = {"BACKEND_LEASE_S": "2", "INPAINT_LEASE_S": "2"}
    data: Path = tmp_path_factory.mktemp("kill")
    with Services(ROOT, data, environ={**os.environ, **environment}) as running:
        yield running


@pytest.fixture(scope="module")
def picture() -> bytes:
    return png(noisy_text(2000, 2600, busy_regions(2000, 2600, 24)))


@pytest.fixture(scope="module")
def usual_s(services: Services, picture: bytes) -> float:
    """How long the job takes when nobody is killed."""
    began = time.monotonic()
    assert submit(services.urls["backend"], picture).end()["status"] == "succeeded"
    return time.monotonic() - began


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("victim", ["ocr-service", "inpaint-service", "backend"])
def test_a_job_survives_the_death_of_any_service(
    services: Services, picture: bytes, usual_s: float, victim: str, moment: int
) -> None:
    share = random.Random(f"{SEED} {victim} {moment}").uniform(0.05, 0.95)
    job = submit(services.urls["backend"], picture)
    time.sleep(share * usual_s)
    services.kill(victim)
    services.restart(victim)
    view = patient_end(job)
    assert view["status"] == "succeeded", view["error"]
    events = job.log()
    check_log(events)
    assert sum(event["data"].get("stage") == "detecting" for event in events) == 1, "OCR was repeated"
    assert requests.get(job.path("/result"), timeout=PATIENCE_S).content[:4] == b"\x89PNG"


def patient_end(job: Job) -> dict[str, object]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return job.end()
        except requests.RequestException:
            assert time.monotonic() < deadline
            time.sleep(0.2)
