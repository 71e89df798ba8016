"""With keys set only probes, the root and health answer without one, and only admins see what is another's."""

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


@pytest.fixture(scope="module")
def scoped(serve: Serve) -> Inpaint:
    return serve(api_keys="eye=read, hand=submit, both, boss=admin")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_every_call_needs_the_scope_of_its_method(scoped: Inpaint) -> None:
    missing = {"GET": ("hand", "read"), "POST": ("eye", "submit")}
    asked = set()
    for path, methods in scoped.get("/openapi.json").json()["paths"].items():
        for method in (method.upper() for method in methods):
            if path not in OPEN:
                key, scope = missing[method]
                answer = scoped.http.request(method, path.replace("{task_id}", "x"), headers=bearer(key))
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path)
                assert answer.json()["scope"] == scope
                assert scope in answer.json()["detail"]
                assert key not in answer.text
                asked.add(method)
    assert asked == set(missing)


def test_a_socket_is_for_reading_and_its_cancel_is_not(scoped: Inpaint) -> None:
    with (
        pytest.raises(InvalidStatus) as caught,
        scoped.socket("/api/v1/ws/progress", additional_headers=bearer("hand")),
    ):
        pass
    assert caught.value.response.status_code == 403
    with scoped.socket("/api/v1/ws/progress", additional_headers=bearer("eye")) as talk:
        talk.hear()
        talk.say(type="cancel_task", task_id="x")
        assert "there is no job" in talk.hear()["error"]


def test_who_may_only_submit_gets_a_picture_and_no_status(scoped: Inpaint) -> None:
    assert scoped.post("/api/v1/inpaint-regions", order(), headers=bearer("hand")).status_code == 200
    body = order(task_id="of-hand")
    assert scoped.post("/api/v1/inpaint-regions-async", body, headers=bearer("hand")).status_code == 200
    assert scoped.get("/api/v1/task-status/of-hand", headers=bearer("hand")).status_code == 403


def test_an_admin_sees_everybodys_tasks(scoped: Inpaint) -> None:
    scoped.post("/api/v1/inpaint-regions-async", order(task_id="of-both"), headers=bearer("both"))
    with scoped.socket("/api/v1/ws/progress?after=0", additional_headers=bearer("boss")) as talk:
        while talk.hear_until("task_completed")[-1]["task_id"] != "of-both":
            pass
    assert scoped.get("/api/v1/task-result/of-both", headers=bearer("boss")).status_code == 200
    assert scoped.get("/api/v1/task-result/of-both", headers=bearer("eye")).status_code == 404
    ended = scoped.post("/api/v1/cancel-task/of-both", headers=bearer("boss"))
    assert (ended.status_code, ended.json()["code"]) == (409, "finished")
    assert scoped.get("/api/v1/tasks", headers=bearer("boss")).json()["total_tasks"] >= 1
    assert scoped.get("/api/v1/tasks", headers=bearer("eye")).json()["total_tasks"] == 0
