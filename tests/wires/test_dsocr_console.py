"""The console of the DeepSeek-OCR server's wire: the password, the cookie, and the pages."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.wires import dark
from tests.wires.conftest import Ocr, ServeOcr

COOKIE = "dsocr_console"
ASSETS = ("/console.js", "/console.css")


@pytest.fixture(scope="module")
def locked(serve_ocr: ServeOcr) -> Ocr:
    return serve_ocr(app_console_password="open sesame", app_api_keys="sk_ann")


@pytest.fixture(autouse=True)
def _nobody_is_signed_in(locked: Ocr) -> None:
    locked.http.cookies.clear()


def _sign_in(live: Ocr, password: str = "open sesame", **headers: str) -> httpx.Response:
    return live.post("/login", files={"password": (None, password)}, headers=headers)


def test_without_a_password_the_console_is_open(serve_ocr: ServeOcr) -> None:
    live = serve_ocr()
    page = live.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'id="tasks"' in page.text
    assert "Sign out" not in page.text
    assert live.post("/login", files={"password": (None, "")}).status_code == 404
    assert live.get("/logout").headers["location"] == "/"


def test_the_console_can_be_switched_off(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(app_console_enabled=False, app_console_password="open sesame")
    assert [live.get(path).status_code for path in ("/", "/login", *ASSETS)] == [404] * 4


def test_who_has_not_signed_in_sees_no_console_and_no_tasks(locked: Ocr) -> None:
    page = locked.get("/")
    assert page.status_code == 401
    assert 'name="password"' in page.text
    assert "tasks" not in page.text
    assert locked.get("/v1/tasks").status_code == 401


def test_the_password_opens_the_console_and_its_wire_until_signed_out(locked: Ocr) -> None:
    answer = _sign_in(locked)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{COOKIE}=")
    assert {"httponly", "samesite=strict", "max-age=86400"} <= set(cookie.split("; "))
    assert 'id="tasks"' in locked.get("/").text
    sent = locked.post("/v1/tasks/upload", files={"file": ("a.png", dark.SIGN)})
    assert sent.status_code == 200
    assert sent.json()["task_id"] in {row["task_id"] for row in locked.get("/v1/tasks").json()["tasks"]}
    assert locked.get("/v1/engines").status_code == 401
    locked.get("/logout")
    assert locked.get("/v1/tasks").status_code == 401


def test_a_wrong_password_is_told_and_gives_no_cookie(locked: Ocr) -> None:
    answer = _sign_in(locked, "wrong")
    assert answer.status_code == 401
    assert "this is not the password" in answer.text
    assert not {"set-cookie", "www-authenticate"} & answer.headers.keys()


def test_guessing_is_braked(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(app_console_password="open sesame")
    statuses = {_sign_in(live, f"guess {number}").status_code for number in range(10)}
    assert statuses == {401, 429}
    braked = _sign_in(live)
    assert braked.status_code == 429
    assert int(braked.headers["retry-after"]) >= 1


def test_a_cookie_of_one_s_own_making_is_worth_nothing(locked: Ocr) -> None:
    _sign_in(locked)
    said, _, signature = locked.http.cookies[COOKIE].rpartition(".")
    other = ("A" if signature[0] != "A" else "B") + signature[1:]  # the last letter has bits that count for nothing
    for made in ("signed-in", f"{said}.{other}", ""):
        locked.http.cookies.clear()
        assert locked.get("/v1/tasks", headers={"Cookie": f"{COOKIE}={made}"}).status_code == 401


def test_the_page_of_another_origin_may_not_use_the_cookie(locked: Ocr) -> None:
    _sign_in(locked)
    stranger = {"Origin": "https://stranger.example"}
    assert locked.get("/v1/tasks", headers=stranger).status_code == 403
    assert _sign_in(locked, **stranger).status_code == 403


def test_a_cookie_can_be_for_https_only(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(app_console_password="open sesame", app_cookie_secure=True, app_session_secret="s" * 32)
    assert "; secure" in _sign_in(live).headers["set-cookie"].lower()


def test_a_restart_signs_nobody_out(serve_ocr: ServeOcr, tmp_path: Path) -> None:
    first = serve_ocr(app_console_password="open sesame", data=tmp_path)
    _sign_in(first)
    second = serve_ocr(app_console_password="open sesame", data=tmp_path)
    second.http.cookies.update(first.http.cookies)
    assert second.get("/v1/tasks").status_code == 200


@pytest.mark.parametrize("path", ["/", "/login", *ASSETS])
def test_the_pages_run_nothing_but_their_own_and_ask_nobody_else(locked: Ocr, path: str) -> None:
    _sign_in(locked)
    answer = locked.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert not re.search(r"https?://|//[a-z]+\.|\son\w+=|style=|<script>|<style>", answer.text)
