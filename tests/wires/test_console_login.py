"""The backend with a console password: who has not signed in gets nothing, and no other page uses the cookie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from backend.app import make_app
from backend.settings import BackendSettings
from cleanplate.runtime.sessions import BURST
from tests.fakes.services import drawn
from tests.wires.serving import Live

NOWHERE = "http://127.0.0.1:9"
PASSWORD = "open sesame"
SESSION = "/api/v1/session"
KEY = {"Authorization": "Bearer robot"}
OPEN = {"/", SESSION, "/livez", "/readyz", "/metrics"}
Backend = Live[BackendSettings]
ServeBackend = Callable[..., Backend]


@pytest.fixture(scope="module")
def serve_backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeBackend]:
    started: list[Backend] = []

    def start(**settings: Any) -> Backend:
        alone = {"ocr_url": NOWHERE, "inpaint_url": NOWHERE, "patience_s": 0.01, "console_password": PASSWORD}
        data = tmp_path_factory.mktemp("backend")
        made = BackendSettings.model_validate({"data": data, **alone, **settings})
        started.append(Live(make_app(made), made))
        started[-1].start()
        started[-1].until_ready()
        return started[-1]

    yield start
    for live in started:
        live.stop()


@pytest.fixture(scope="module")
def backend(serve_backend: ServeBackend) -> Backend:
    return serve_backend()


@pytest.fixture
def browser(backend: Backend) -> Iterator[httpx.Client]:
    """Return a client that has signed in, as the own page does."""
    with httpx.Client(base_url=backend.url, trust_env=False, headers={"Origin": backend.url}) as client:
        assert client.get(SESSION).json() == {"required": True, "signed_in": False}
        answer = client.post(SESSION, json={"password": PASSWORD})
        assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (204, b"", "no-store")
        yield client


def submit(client: httpx.Client, **more: Any) -> httpx.Response:
    return client.post("/api/v1/jobs", files={"file": drawn("SALE")}, **more)


def seen(client: httpx.Client, **more: Any) -> set[str]:
    return {job["job_id"] for job in client.get("/api/v1/jobs", **more).json()["jobs"]}


def cookie(client: httpx.Client) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}


def test_without_the_cookie_every_call_is_401(backend: Backend) -> None:
    asked = 0
    for path, methods in backend.get("/openapi.json").json()["paths"].items():
        for method in methods:
            if path not in OPEN:
                answer = backend.http.request(method, path.replace("{job_id}", "x").replace("{task_id}", "x"))
                assert answer.status_code == 401, (method, path)
                asked += 1
    assert asked >= 14
    for path in ("/api/v1/ws/jobs", "/api/v1/ws/jobs/x", "/api/v1/ws/progress"):
        with pytest.raises(InvalidStatus) as caught, backend.socket(path):
            pass
        assert caught.value.response.status_code == 401


def test_the_cookie_lets_in_until_one_signs_out(backend: Backend, browser: httpx.Client) -> None:
    assert browser.get(SESSION).json() == {"required": True, "signed_in": True}
    path = f"/api/v1/jobs/{submit(browser).json()['job_id']}"
    assert browser.get(path).status_code == 200
    with backend.socket("/api/v1/ws/jobs?after=0", additional_headers=cookie(browser), origin=backend.url) as talk:
        assert talk.hear()["type"] == "queued"
    assert browser.delete(SESSION).status_code == 204
    assert browser.get(path).status_code == 401
    assert browser.get(SESSION).json() == {"required": True, "signed_in": False}


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.test"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:8082"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
])  # fmt: skip
def test_another_page_cannot_use_the_cookie(backend: Backend, browser: httpx.Client, headers: dict[str, str]) -> None:
    given = {**cookie(browser), **headers}
    with httpx.Client(base_url=backend.url, trust_env=False, headers=given) as page:
        assert submit(page).status_code == 403
        assert page.post("/api/v1/jobs/x/cancel").status_code == 403
        assert page.delete("/api/v1/jobs/x").status_code == 403
        assert page.post(SESSION, json={"password": PASSWORD}).status_code == 403
        assert page.delete(SESSION).status_code == 403
    for path in ("/api/v1/ws/jobs", "/api/v1/ws/progress"):
        with pytest.raises(InvalidStatus) as caught, backend.socket(path, additional_headers=given):
            pass
        assert caught.value.response.status_code == 403


def test_keys_work_beside_the_password(serve_backend: ServeBackend) -> None:
    backend = serve_backend(api_keys="robot, eye=read, boss=admin")
    with httpx.Client(base_url=backend.url, trust_env=False) as browser:
        browser.post(SESSION, json={"password": PASSWORD})
        own = submit(browser).json()["job_id"]
        robots = submit(backend.http, headers=KEY).json()["job_id"]
        boss, eye = {"Authorization": "Bearer boss"}, {"Authorization": "Bearer eye"}
        assert seen(browser) == {own}
        assert seen(backend.http, headers=KEY) == {robots}
        assert seen(backend.http, headers=eye) == set()
        assert seen(backend.http, headers=boss) == {own, robots}
        assert submit(backend.http, headers=eye).json()["scope"] == "submit"
        assert browser.get(f"/api/v1/jobs/{robots}").status_code == 404
        assert backend.http.delete(f"/api/v1/jobs/{robots}", headers=boss).status_code == 204
        assert backend.get(f"/api/v1/jobs/{robots}", headers=KEY).status_code == 410


def test_guessing_is_slowed_down(serve_backend: ServeBackend) -> None:
    backend = serve_backend()
    for _ in range(BURST):
        answer = backend.post(SESSION, {"password": "guess"})
        assert (answer.status_code, answer.json()["field"]) == (401, "password")
        assert "set-cookie" not in answer.headers
    answer = backend.post(SESSION, {"password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(answer.headers["retry-after"]) <= 12


@pytest.mark.parametrize(("body", "status"), [
    (b"", 422), (b"{", 422), (b"[]", 422), (b"{}", 422), (b'{"password": 1}', 422), (b'{"password": null}', 422),
    (json.dumps({"password": "x" * 1001}).encode(), 422), (b" " * 100_000, 413),
])  # fmt: skip
def test_what_is_no_password_is_refused_and_not_repeated(backend: Backend, body: bytes, status: int) -> None:
    answer = backend.http.post(SESSION, content=body)
    assert answer.status_code == status
    assert "xxx" not in answer.text


def test_a_restart_keeps_who_signed_in(backend: Backend, browser: httpx.Client, serve_backend: ServeBackend) -> None:
    again = serve_backend(data=backend.settings.data)
    assert again.get(SESSION, headers=cookie(browser)).json()["signed_in"]
    other = serve_backend(data=backend.settings.data, console_password="another")
    assert not other.get(SESSION, headers=cookie(browser)).json()["signed_in"]


def test_without_a_password_there_is_nothing_to_sign_in_to(serve_backend: ServeBackend) -> None:
    open_to_all = serve_backend(console_password="")
    assert open_to_all.get(SESSION).json() == {"required": False, "signed_in": False}
    assert open_to_all.post(SESSION, {"password": ""}).status_code == 404
    assert open_to_all.http.delete(SESSION).status_code == 204
    assert open_to_all.get("/api/v1/jobs").status_code == 200
