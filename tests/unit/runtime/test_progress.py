"""The older progress wire's words and messages, from the log's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import EngineUnavailable
from cleanplate.runtime.jobs import Job, State
from cleanplate.runtime.progress import WORDS, message, snapshot, task_view, word

WAITING = Job("t", "inpaint", "", State.QUEUED, {"region_count": 2}, "d", 0, 1, 0, 100.0, stage="queued")
DETAIL = {"stage_progress": 0.5, "region": 1, "regions": 2, "message": "step 1", "eta_s": 4.0}
RUNNING = replace(
    WAITING, state=State.RUNNING, seq=4, stage="inpainting", progress=0.333333, detail=DETAIL, started_at=110.0
)
DONE = replace(RUNNING, state=State.SUCCEEDED, seq=5, progress=1.0, finished_at=112.5, result={"regions": [{}, {}]})
FAILED = replace(RUNNING, state=State.FAILED, finished_at=111.0, error=EngineUnavailable("no weights").body())


def url(task_id: str) -> str:
    return f"http://own.test/{task_id}"


def event(type_: str, **data: Any) -> Event:
    return Event(job_id="t", seq=7, position=9, type=type_, at="2026-01-01T00:00:00.000Z", data=data)


def test_every_state_has_its_old_word() -> None:
    assert set(WORDS) == set(State)
    assert [word(state, "inpainting") for state in State] == [
        "pending",
        "processing",
        "completed",
        "error",
        "cancelled",
    ]
    assert {word(State.RUNNING, stage) for stage in ("", "queued", "preparing", "detecting")} == {"preparing"}
    assert word(State.SUCCEEDED, "preparing") == "completed"


def test_a_view_of_a_waiting_task() -> None:
    view = task_view(WAITING, now=120.0)
    assert (view["status"], view["overall_progress"], view["elapsed_time"]) == ("pending", 0.0, 0.0)
    assert (view["total_regions"], view["message"], view["started_at"]) == (2, "pending", None)
    assert {task_view(replace(WAITING, stage=stage), 120.0)["stage"] for stage in ("", "queued")} == {"preparing"}


def test_a_view_of_a_running_task_speaks_in_percent() -> None:
    view = task_view(RUNNING, now=120.0)
    assert (view["overall_progress"], view["stage_progress"], view["elapsed_time"]) == (33.33, 50.0, 10.0)
    assert (view["current_region"], view["message"], view["estimated_remaining"]) == (1, "step 1", 4.0)


def test_a_view_of_an_ended_task_stands_still() -> None:
    view = task_view(DONE, now=999.0)
    assert (view["status"], view["stage"], view["stage_progress"]) == ("completed", "finalizing", 100.0)
    assert (view["elapsed_time"], view["estimated_remaining"]) == (2.5, None)
    failed = task_view(FAILED, 999.0)
    assert (failed["error_message"], failed["retryable"]) == ("no weights", True)


def test_each_event_has_its_message_or_none() -> None:
    told = {type_: message(event(type_), None, url) for type_ in ("queued", "requeued", "retried", "note")}
    assert set(told.values()) == {None}
    assert (message(event("started", attempt=1), None, url) or {})["type"] == "task_started"
    assert message(event("started", attempt=2), None, url) is None


def test_a_message_of_progress_has_the_logs_cursor_and_time() -> None:
    told = message(event("progress", stage="masking", progress=0.5, stage_progress=1.0, eta_s=2.0), "s", url) or {}
    assert (told["type"], told["seq"], told["session_id"], told["timestamp"]) == (
        "progress_update", 7, "s", "2026-01-01T00:00:00.000Z"
    )  # fmt: skip
    assert (told["progress"], told["overall_progress"], told["stage_progress"]) == (50.0, 50.0, 100.0)
    assert (told["status"], told["estimated_remaining"]) == ("processing", 2.0)


@pytest.mark.parametrize(
    ("job", "type_"),
    [
        (DONE, "task_completed"),
        (FAILED, "task_failed"),
        (replace(RUNNING, state=State.CANCELLED, finished_at=111.0), "task_cancelled"),
        (RUNNING, "progress_update"),
        (WAITING, "progress_update"),
    ],
)
def test_who_joins_late_is_told_where_the_task_stands(job: Job, type_: str) -> None:
    told = snapshot(job, 120.0, "s", url)
    assert (told["type"], told["task_id"], told["seq"], told["session_id"]) == (type_, "t", job.seq, "s")


def test_an_end_says_what_came_of_it() -> None:
    done, failed = snapshot(DONE, 0, None, url), snapshot(FAILED, 0, None, url)
    assert done["result"]["processed_image_url"] == "http://own.test/t"
    assert done["result"]["regions_processed"] == 2
    assert (failed["error_message"], failed["code"], failed["retryable"]) == ("no weights", "engine_unavailable", True)
