"""The one stream of events that the console follows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from backend.app import make_app
from backend.settings import BackendSettings
from tests.fakes.services import drawn
from tests.wires.serving import Live

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live[BackendSettings]]:
    data = tmp_path_factory.mktemp("backend")
    made = BackendSettings(data=data, ocr_url=NOWHERE, inpaint_url=NOWHERE, patience_s=0.01, api_keys="key-one,key-two")
    live = Live(make_app(made), made)
    live.start()
    live.until_ready()
    yield live
    live.stop()


def key(name: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}", **more}


def submit(backend: Live[BackendSettings], name: str) -> str:
    job_id: str = backend.post("/api/v1/jobs", files={"file": drawn("SALE")}, headers=key(name)).json()["job_id"]
    return job_id


def heard(backend: Live[BackendSettings], path: str, headers: dict[str, str], job_id: str) -> list[dict[str, Any]]:
    """Return the events up to the job's end, each with its cursor."""
    found: list[dict[str, Any]] = []
    with backend.http.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        cursor = 0
        for line in answer.iter_lines():
            if line.startswith("id: "):
                cursor = int(line[4:])
            if line.startswith("data: "):
                found.append({**json.loads(line[6:]), "cursor": cursor})
                if found[-1]["job_id"] == job_id and found[-1]["type"] == "failed":
                    return found
    raise AssertionError("the stream ended before the job")


def test_all_jobs_of_a_caller_are_one_stream_that_goes_on_where_it_was_left(backend: Live[BackendSettings]) -> None:
    first, second, foreign = submit(backend, "key-one"), submit(backend, "key-one"), submit(backend, "key-two")
    for job_id, name in ((first, "key-one"), (second, "key-one"), (foreign, "key-two")):
        backend.get(f"/api/v1/jobs/{job_id}?wait=30", headers=key(name))
    events = heard(backend, "/api/v1/events?after=0", key("key-one"), second)
    assert {event["job_id"] for event in events} == {first, second}
    assert [event["cursor"] for event in events] == [event["position"] for event in events]
    middle = events[len(events) // 2]
    rest = heard(backend, "/api/v1/events", key("key-one", **{"Last-Event-ID": str(middle["cursor"])}), second)
    assert rest == events[len(events) // 2 + 1 :]


def test_without_a_cursor_only_what_is_new_is_told(backend: Live[BackendSettings]) -> None:
    old = submit(backend, "key-one")
    backend.get(f"/api/v1/jobs/{old}?wait=30", headers=key("key-one"))
    with backend.http.stream("GET", "/api/v1/events", headers=key("key-one")) as answer:
        new = submit(backend, "key-one")
        told = next(line for line in answer.iter_lines() if line.startswith("data: "))
    assert json.loads(told[6:])["job_id"] == new


def test_nobody_follows_without_a_key(backend: Live[BackendSettings]) -> None:
    assert backend.get("/api/v1/events").status_code == 401
    assert backend.get("/", headers={"Accept": "text/html"}).status_code == 200
