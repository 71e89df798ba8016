"""With keys set nothing but probes, the root and health answers without one, and nobody sees another's tasks."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

from tests.wires.conftest import Inpaint, Serve
from tests.wires.pictures import order

ANN, BOB = {"Authorization": "Bearer ann's key"}, {"Authorization": "bearer bob's key"}
OPEN = ["/", "/api/v1/health", "/livez", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json"]
WRONG: dict[str, dict[str, str | bytes]] = {
    "none": {},
    "another": {"Authorization": "Bearer eve's key"},
    "empty": {"Authorization": "Bearer"},
    "no scheme": {"Authorization": "ann's key"},
    "another scheme": {"Authorization": "Basic ann's key"},
    "part of one": {"Authorization": "Bearer ann's"},
    "both": {"Authorization": "Bearer ann's key,bob's key"},
    "no ASCII": {"Authorization": b"Bearer \xff\xfe"},
}


@pytest.fixture(scope="module")
def locked(serve: Serve) -> Inpaint:
    return serve(api_keys="ann's key, bob's key")


@pytest.mark.parametrize("path", OPEN)
def test_probes_and_pages_need_no_key(locked: Inpaint, path: str) -> None:
    assert locked.get(path).status_code == 200


def test_every_other_call_needs_one(locked: Inpaint) -> None:
    paths = locked.get("/openapi.json").json()["paths"]
    asked = 0
    for path, methods in paths.items():
        for method in methods:
            if path not in OPEN:
                answer = locked.http.request(method, path.replace("{task_id}", "x"))
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"] == "Bearer"
                asked += 1
    assert asked >= 11


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_key_is_401_with_a_problem(locked: Inpaint, case: str) -> None:
    answer = locked.post("/api/v1/inpaint-regions", order(), headers=WRONG[case])
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthorized"
    assert "key" not in answer.json()["detail"].replace("<key>", "")


@pytest.mark.parametrize("path", ["/api/v1/ws/progress", "/api/v1/ws/progress/x"])
@pytest.mark.parametrize("case", ["none", "another", "no ASCII"])
def test_a_socket_needs_a_key_too(locked: Inpaint, path: str, case: str) -> None:
    headers = {name: value for name, value in WRONG[case].items() if isinstance(value, str)}
    with pytest.raises(InvalidStatus) as caught, locked.socket(path, additional_headers=headers):
        pass
    assert caught.value.response.status_code == 401
    assert b"unauthorized" in caught.value.response.body


def test_each_key_works_for_every_call(locked: Inpaint) -> None:
    for key in (ANN, BOB):
        assert locked.post("/api/v1/inpaint-regions", order(), headers=key).status_code == 200
        assert locked.get("/api/v1/model", headers=key).status_code == 200
        assert locked.get("/api/v1/info", headers=key).status_code == 200


def test_another_s_task_is_not_there(locked: Inpaint) -> None:
    body = locked.post("/api/v1/inpaint-regions-async", order(task_id="of-ann"), headers=ANN).json()
    with locked.socket("/api/v1/ws/progress/of-ann", additional_headers=ANN) as talk:
        assert talk.hear_until("task_completed")[-1]["task_id"] == body["task_id"] == "of-ann"
    for method, call in (("GET", "task-status"), ("GET", "task-result"), ("POST", "cancel-task")):
        theirs = locked.http.request(method, f"/api/v1/{call}/of-ann", headers=BOB)
        missing = locked.http.request(method, f"/api/v1/{call}/of-nobody", headers=BOB)
        assert theirs.status_code == missing.status_code == 404
        assert theirs.json()["detail"].replace("of-ann", "of-nobody") == missing.json()["detail"]
    assert locked.get("/api/v1/task-result/of-ann", headers=ANN).status_code == 200


def test_another_s_task_is_not_told_of(locked: Inpaint) -> None:
    with locked.socket("/api/v1/ws/progress?after=0", additional_headers=BOB) as talk:
        talk.hear()
        locked.post("/api/v1/inpaint-regions-async", order(task_id="ann-2"), headers=ANN)
        for type_ in ("subscribe_task", "get_task_status", "cancel_task", "unsubscribe_task"):
            talk.say(type=type_, task_id="ann-2")
            assert talk.hear()["type"] == "error"
        locked.post("/api/v1/inpaint-regions-async", order(task_id="bob-1"), headers=BOB)
        assert {message["task_id"] for message in talk.hear_until("task_completed")} == {"bob-1"}


def test_another_s_id_cannot_be_taken_and_its_picture_stays(locked: Inpaint) -> None:
    for _ in range(3):
        locked.post("/api/v1/inpaint-regions-async", order(task_id="of-ann-alone"), headers=ANN)
        stolen = locked.post("/api/v1/inpaint-regions-async", order(task_id="of-ann-alone"), headers=BOB)
        assert stolen.status_code == 409
    with locked.socket("/api/v1/ws/progress/of-ann-alone", additional_headers=ANN) as talk:
        assert talk.hear_until("task_completed", "task_failed")[-1]["type"] == "task_completed"
    assert locked.get("/api/v1/tasks", headers=BOB).json()["active_task_ids"] == []
