"""What the log tells in figures."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import EngineUnavailable, Invalid
from cleanplate.runtime import tallies
from cleanplate.runtime.tallies import Tallies
from tests.unit.runtime.conftest import Jobs, until


class Log:
    """A log whose times are said, and what is counted of it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.tallies = Tallies(self.registry)

    def tell(self, type_: str, second: int, job_id: str = "a", **data: object) -> None:
        at = f"2026-01-01T00:00:{second:02}.000Z"
        self.tallies.add("erase", Event(job_id=job_id, seq=1, position=1, type=type_, at=at, data=data))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"kind": "erase", **labels})


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_jobs_waiting_its_work_and_its_stages_are_timed(log: Log) -> None:
    log.tell("queued", 0)
    log.tell("started", 4)
    log.tell("progress", 7, stage="detecting")
    log.tell("progress", 12, stage="inpainting")
    log.tell("progress", 13, stage="inpainting")
    log.tell("succeeded", 15)
    assert log.value("job_wait_seconds_sum") == 4
    assert log.value("job_seconds_sum", state="succeeded") == 11
    assert log.value("job_stage_seconds_sum", stage="detecting") == 3
    assert log.value("job_stage_seconds_sum", stage="inpainting") == 6
    assert log.value("job_stage_seconds_count", stage="inpainting") == 1
    assert log.value("job_events_total", type="progress") == 3


def test_a_job_that_is_taken_over_is_timed_from_its_last_start(log: Log) -> None:
    log.tell("queued", 0)
    log.tell("started", 1)
    log.tell("requeued", 31, reason="lease expired")
    log.tell("started", 32)
    log.tell("cancelled", 35)
    assert log.value("job_takeovers_total") == 1
    assert log.value("job_wait_seconds_count") == 1
    assert log.value("job_seconds_sum", state="cancelled") == 3


def test_a_job_that_is_given_back_in_good_order_is_no_takeover(log: Log) -> None:
    log.tell("started", 1)
    log.tell("requeued", 2, reason="the service stopped")
    assert log.value("job_takeovers_total") is None


def test_a_failure_is_the_requests_or_the_services(log: Log) -> None:
    log.tell("failed", 1, **Invalid("not a picture", field="file").body())
    log.tell("failed", 2, "b", **EngineUnavailable("gone").body())
    assert log.value("job_failures_total", fault="request") == 1
    assert log.value("job_failures_total", fault="service") == 1


def test_a_job_that_was_begun_before_the_counting_is_not_timed(log: Log) -> None:
    log.tell("progress", 1, stage="detecting")
    log.tell("succeeded", 2)
    assert log.value("job_seconds_count", state="succeeded") is None
    assert log.value("job_events_total", type="succeeded") == 1


async def test_the_log_of_a_board_is_followed(board: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "PAUSE_S", 0)
    await board.add("before")
    registry = CollectorRegistry()
    following = asyncio.create_task(Tallies(registry).follow(board))
    await until(lambda: board.wakeups.is_heard(board.log_topic))
    await board.add("after")
    counted = {"kind": "test", "type": "queued"}
    await until(lambda: registry.get_sample_value("job_events_total", counted) == 1)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
