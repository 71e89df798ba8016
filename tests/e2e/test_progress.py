"""What a client sees of a job while it runs, afterwards, and when it cancels."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from backend.cli.services import Services
from tests.e2e.conftest import examples
from tests.e2e.jobs import PATIENCE_S, check_log, submit
from tests.e2e.pictures import busy_regions, noisy_text, png

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def backend(services: Services) -> str:
    return services.urls["backend"]


def test_progress_goes_up_to_the_last_unit_and_the_result_is_there_at_the_end(backend: str) -> None:
    job = submit(backend, examples()[0].read_bytes())
    events = job.log()
    assert events[-1]["type"] == "succeeded"
    assert requests.get(job.path("/result"), timeout=PATIENCE_S).status_code == 200
    check_log(events)
    units = [event["data"] for event in events if event["type"] == "progress"]
    steps = [unit["message"] for unit in units if " step " in unit["message"]]
    done = [int(step.split(" step ")[1].split(" ")[0]) for step in steps]
    assert done == sorted(set(done))
    assert steps[-1].endswith(f" step {done[-1]} of {done[-1]}")
    assert [unit["stage"] for unit in units][:2] == ["detecting", "masking"]
    assert [unit["stage"] for unit in units][-2:] == ["verifying", "finalizing"]


def test_a_client_gets_exactly_the_rest_whenever_it_comes(backend: str) -> None:
    job = submit(backend, examples()[0].read_bytes())
    whole = job.log()
    for after in (0, 1, len(whole) // 2, len(whole) - 1, len(whole)):
        assert job.log(after) == whole[after:]
    sse = requests.get(job.path("/events"), headers={"Last-Event-ID": "3"}, timeout=PATIENCE_S).text
    assert [json.loads(line[6:]) for line in sse.splitlines() if line.startswith("data: ")] == whole[3:]


def test_the_older_wire_tells_the_same_story(backend: str) -> None:
    job = submit(backend, examples()[0].read_bytes())
    url = f"ws{backend.removeprefix('http')}/api/v1/ws/progress/{job.id}?after=0"
    with connect(url) as websocket:
        messages: list[dict[str, Any]] = []
        while not messages or messages[-1]["type"] not in ("task_completed", "task_failed"):
            messages.append(json.loads(websocket.recv(timeout=PATIENCE_S)))
    assert messages[0]["type"] == "connection_established"
    assert messages[1]["type"] == "task_started"
    progress = [message["overall_progress"] for message in messages if message["type"] == "progress_update"]
    assert progress == sorted(progress)
    assert {message["session_id"] for message in messages[1:]} == {job.id}
    result = requests.get(messages[-1]["result"]["processed_image_url"], timeout=PATIENCE_S)
    assert result.headers["Content-Type"] == "image/png"


def test_cancel_stops_before_the_next_step_and_nothing_turns_up_later(services: Services) -> None:
    inpaint = services.urls["inpaint-service"]
    size, regions = (2400, 3000), busy_regions(2400, 3000, 40)
    params = {"regions": regions, "task_id": "to-be-cancelled", "progress_interval": 0}
    form = {"params": json.dumps(params)}
    files = {"image": png(noisy_text(*size, ()))}
    answer = requests.post(f"{inpaint}/api/v1/inpaint-regions-async", files=files, data=form, timeout=PATIENCE_S).json()
    with connect(answer["websocket_url"] + "?after=0") as websocket:
        messages = [json.loads(websocket.recv(timeout=PATIENCE_S))]
        while messages[-1].get("stage") != "inpainting":
            messages.append(json.loads(websocket.recv(timeout=PATIENCE_S)))
        cancelled = requests.post(f"{inpaint}/api/v1/cancel-task/to-be-cancelled", timeout=PATIENCE_S)
        assert cancelled.json()["status"] == "cancelled"
        while messages[-1]["type"] != "task_cancelled":
            messages.append(json.loads(websocket.recv(timeout=PATIENCE_S)))
        steps = [message for message in messages if message.get("stage") == "inpainting"]
        assert len(steps) < 40
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=3)
    status = requests.get(f"{inpaint}/api/v1/task-status/to-be-cancelled", timeout=PATIENCE_S).json()
    assert status["status"] == "cancelled"
    assert requests.get(f"{inpaint}/api/v1/task-result/to-be-cancelled", timeout=PATIENCE_S).status_code == 409
    assert requests.post(f"{inpaint}/api/v1/cancel-task/to-be-cancelled", timeout=PATIENCE_S).status_code == 409


def test_cancelling_a_job_cancels_its_task_in_the_inpaint_service(services: Services) -> None:
    lines = busy_regions(2400, 3000, 40)
    job = submit(services.urls["backend"], png(noisy_text(2400, 3000, lines)))
    task: list[str] = []
    url = f"ws{job.backend.removeprefix('http')}/api/v1/ws/jobs/{job.id}"
    with connect(url) as websocket:
        for message in websocket:
            event = json.loads(message)
            if event["type"] == "task_chosen":
                task.append(event["data"]["task_id"])
            if event["type"] == "progress" and " step " in event["data"]["message"]:
                break
        assert requests.post(job.path("/cancel"), timeout=PATIENCE_S).json()["status"] == "cancelled"
    assert job.log()[-1]["type"] == "cancelled"
    status_url = f"{services.urls['inpaint-service']}/api/v1/task-status/{task[0]}"
    deadline = time.monotonic() + 20
    while requests.get(status_url, timeout=PATIENCE_S).json()["status"] != "cancelled":
        assert time.monotonic() < deadline
    assert requests.get(job.path("/result"), timeout=PATIENCE_S).status_code == 409
