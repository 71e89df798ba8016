"""Signing in: the cookie, whose pages may use it, and how often a password may be tried."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import Response
from starlette.requests import HTTPConnection

from cleanplate.contract.problems import Forbidden, TooManyAttempts, Unauthorized
from cleanplate.runtime.access import ANONYMOUS, CONSOLE, USUAL, Keys
from cleanplate.runtime.links import Links
from cleanplate.runtime.sessions import (
    ALL_BURST,
    ALL_EVERY_S,
    BURST,
    EVERY_S,
    MAX_AGE_S,
    REMEMBERED,
    Brake,
    Sessions,
    kept_secret,
)
from tests.promises.conftest import Clock

PASSWORD = "correct horse — ö"
OWN = {"origin": "http://own.test"}


def connection(
    headers: Mapping[str, str] | None = None, method: str = "POST", *, client: str = "192.0.2.1", kind: str = "http"
) -> HTTPConnection:
    given = {"host": "own.test", **(headers or {})}
    scope: dict[str, Any] = {
        "type": kind, "path": "/", "scheme": "http", "server": ("own.test", 80), "query_string": b"",
        "client": (client, 1), "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    return HTTPConnection(scope if kind == "websocket" else {**scope, "method": method})


def made(clock: Clock | None = None, links: Links | None = None, **more: Any) -> Sessions:
    clock = clock or Clock()
    told = {"password": PASSWORD, "secret": "s", "cookie": "in", **more}
    return Sessions(links=links or Links(), brake=Brake(clock), clock=clock, **told)


def set_cookie(sessions: Sessions, asked: HTTPConnection | None = None) -> str:
    response = Response()
    sessions.sign_in(asked or connection(), PASSWORD, response)
    return response.headers["set-cookie"]


def with_cookie(sessions: Sessions, headers: Mapping[str, str] | None = None, **more: Any) -> HTTPConnection:
    return connection({"cookie": set_cookie(sessions).partition(";")[0], **(headers or {})}, **more)


def test_the_password_gives_a_cookie_that_no_script_and_no_other_site_gets() -> None:
    sessions = made()
    told = set_cookie(sessions).split("; ")
    assert set(told[1:]) == {"HttpOnly", f"Max-Age={MAX_AGE_S}", "Path=/", "SameSite=strict"}
    assert PASSWORD not in told[0]
    assert sessions.signed_in(with_cookie(sessions))


def test_a_cookie_ends_with_its_age_the_password_and_the_secret() -> None:
    clock = Clock()
    signed = with_cookie(made(clock))
    clock.now += MAX_AGE_S
    assert made(clock).signed_in(signed)
    assert not made(clock, password="another").signed_in(signed)
    assert not made(clock, secret="another").signed_in(signed)
    clock.now += 1
    assert not made(clock).signed_in(signed)


@pytest.mark.parametrize("value", ["", "signed-in", "signed-in.x.y", "..", "signed-in." * 1000, '"\\377"', "é"])
def test_what_was_not_signed_here_is_no_cookie(value: str) -> None:
    assert not made().signed_in(connection({"cookie": f"in={value}"}))


@pytest.mark.parametrize(("secure", "scheme", "is_secure"), [
    ("auto", "http", False), ("auto", "https", True), ("true", "http", True), ("false", "https", False),
])  # fmt: skip
def test_the_cookie_is_for_https_where_the_client_sees_https(secure: str, scheme: str, is_secure: bool) -> None:
    sessions = made(links=Links("", ["192.0.2.1"]), secure=secure)
    assert ("; Secure" in set_cookie(sessions, connection({"x-forwarded-proto": scheme}))) is is_secure


def test_signing_out_takes_the_cookie_away() -> None:
    response = Response()
    made().sign_out(connection(), response)
    assert response.headers["set-cookie"].startswith('in=""; HttpOnly; Max-Age=0; Path=/; SameSite=strict')


def test_another_password_is_refused() -> None:
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), "\ud800"):
        with pytest.raises(Unauthorized):
            made().sign_in(connection(), wrong, Response())


STRANGE: list[dict[str, str]] = [
    {"origin": "http://own.test:8082"},
    {"origin": "http://evil.test"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("headers", STRANGE)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_no_strangers_page_uses_the_cookie(headers: dict[str, str], kind: str) -> None:
    sessions = made()
    for keys in (Keys([], ["*"], sessions), Keys(["key"], [], sessions)):
        with pytest.raises(Forbidden):
            keys.admit(with_cookie(sessions, headers, kind=kind), None)
    if kind == "http":
        with pytest.raises(Forbidden):
            sessions.sign_in(connection(headers), PASSWORD, Response())
        with pytest.raises(Forbidden):
            sessions.sign_out(connection(headers), Response())


@pytest.mark.parametrize("headers", [{}, OWN, {"origin": "HTTP://OWN.TEST"}, {"sec-fetch-site": "same-origin"}])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_own_page_uses_it(headers: dict[str, str], kind: str) -> None:
    sessions = made()
    assert Keys([], [], sessions).admit(with_cookie(sessions, headers, kind=kind), None) == ANONYMOUS


def test_behind_a_proxy_the_own_page_is_what_clients_see() -> None:
    sessions = made(links=Links("https://public.test/below"))
    asked = with_cookie(sessions, {"origin": "https://public.test"})
    assert Keys([], [], sessions).admit(asked, None) == ANONYMOUS


def test_with_a_password_and_no_keys_who_has_not_signed_in_is_nobody() -> None:
    keys = Keys([], [], made())
    for authorization in (None, "Bearer anything"):
        with pytest.raises(Unauthorized, match="sign in"):
            keys.admit(connection(), authorization)


def test_keys_work_beside_the_password_and_a_wrong_one_is_not_mended_by_the_cookie() -> None:
    sessions = made()
    keys = Keys(["key"], [], sessions)
    caller = keys.admit(with_cookie(sessions), None)
    assert (caller, caller.scopes) == (CONSOLE, USUAL)
    assert keys.admit(connection(), "Bearer key") == Keys(["key"]).owner("Bearer key")
    for asked, authorization in ((connection(), None), (with_cookie(sessions), "Bearer other")):
        with pytest.raises(Unauthorized):
            keys.admit(asked, authorization)


def test_who_guesses_waits_and_who_knows_does_not() -> None:
    clock = Clock()
    sessions = made(clock)
    for _ in range(2 * ALL_BURST):
        set_cookie(sessions)
    for _ in range(BURST):
        with pytest.raises(Unauthorized):
            sessions.sign_in(connection(), "guess", Response())
    with pytest.raises(TooManyAttempts) as refused:
        sessions.sign_in(connection(), PASSWORD, Response())
    assert refused.value.retry_after_s == EVERY_S
    set_cookie(sessions, connection(client="192.0.2.2"))
    clock.now += EVERY_S
    set_cookie(sessions)


def test_behind_a_trusted_proxy_each_client_has_its_own_attempts() -> None:
    sessions = made(links=Links("", ["192.0.2.1"]))

    def told(client: str) -> HTTPConnection:
        return connection({"x-forwarded-for": f"forged, {client}"})

    for _ in range(BURST):
        with pytest.raises(Unauthorized):
            sessions.sign_in(told("203.0.113.7"), "guess", Response())
    with pytest.raises(TooManyAttempts):
        sessions.sign_in(told("203.0.113.7"), PASSWORD, Response())
    sessions.sign_in(told("203.0.113.8"), PASSWORD, Response())


def test_a_network_of_ipv6_is_one_client_and_mapped_ipv4_is_not() -> None:
    sessions = made()
    for number in range(BURST):
        with pytest.raises(Unauthorized):
            sessions.sign_in(connection(client=f"2001:db8:0:{number}::{number}"), "guess", Response())
    with pytest.raises(TooManyAttempts):
        sessions.sign_in(connection(client="2001:db8:0:ffff::"), "guess", Response())
    set_cookie(sessions, connection(client="2001:db8:1::"))
    for number in range(BURST + 1):
        with pytest.raises(Unauthorized):
            sessions.sign_in(connection(client=f"::ffff:192.0.2.{number}"), "guess", Response())


def test_over_the_limit_of_all_each_client_has_one_attempt_and_nobody_takes_anothers() -> None:
    clock = Clock()
    sessions = made(clock)
    for number in range(10 * ALL_BURST):
        with pytest.raises(Unauthorized):
            sessions.sign_in(connection(client=f"10.0.{number % 250}.{number // 250}"), "guess", Response())
    set_cookie(sessions)
    with pytest.raises(Unauthorized):
        sessions.sign_in(connection(), "guess", Response())
    with pytest.raises(TooManyAttempts) as refused:
        sessions.sign_in(connection(), PASSWORD, Response())
    assert refused.value.retry_after_s == EVERY_S
    clock.now += ALL_BURST * ALL_EVERY_S
    for _ in range(BURST):
        with pytest.raises(Unauthorized):
            sessions.sign_in(connection(), "guess", Response())


def test_only_those_who_tried_of_late_are_remembered() -> None:
    clock = Clock()
    brake = Brake(clock)
    for number in range(20_000):
        clock.now += 0.1
        brake.take(f"client {number}")
        assert len(brake._full) <= REMEMBERED


def test_the_secret_stays_and_is_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "session.secret"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(kept_secret, [path] * 50))
    assert len(found) == 1
    assert len(found.pop()) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["session.secret"]
