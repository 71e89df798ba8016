"""What every service's web application does with requests and with what goes wrong."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Message, Scope

from cleanplate.contract.problems import EngineUnavailable, Invalid, Problem, QueueFull
from cleanplate.runtime import logs
from cleanplate.runtime.access import Keys, Owner
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.web import create_app

LIMIT = 1000
PROBLEM = "application/problem+json"


class Ball(BaseModel):
    size: int = Field(ge=1)


def service(checks: dict[str, Callable[[], Awaitable[str]]] | None = None) -> FastAPI:
    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        yield

    def old_shape(_: Request, problem: Problem) -> Response:
        return PlainTextResponse(problem.detail, problem.status)

    app = create_app(
        "test", "1", keys=Keys(["key"]), metrics=Metrics("test"), limit_bytes=LIMIT, checks=checks or {},
        running=running, shapes={"/old": old_shape},
    )  # fmt: skip

    @app.get("/things/{name}")
    async def thing(name: str, size: int = 0) -> dict[str, Any]:
        return {"name": name, "request": logs.request_id.get(), "trace": logs.traceparent.get()}

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    @app.post("/ball")
    async def ball(ball: Ball) -> int:
        return ball.size

    @app.post("/raises/{what}")
    @app.post("/old/{what}")
    async def raises(what: str) -> None:
        raise {
            "full": QueueFull("3 jobs wait", retry_after_s=4.6, queue_length=3),
            "surrogate": Invalid("is not known", field="\ud800"),
            "defect": RuntimeError("the secret"),
            "teapot": HTTPException(418, "short and stout", {"X-Pot": "tea"}),
            "broken": QueueFull("x", what=object()),
        }[what]

    @app.get("/late")
    async def late() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun"
            raise RuntimeError("the secret")

        return StreamingResponse(pieces())

    @app.get("/mine")
    async def mine(owner: Owner) -> str:
        return owner

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, owner: Owner) -> None:
        await websocket.accept()
        await websocket.close()

    return app


@asynccontextmanager
async def client(app: FastAPI | None = None) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app or service(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def test_a_clients_request_id_is_kept_and_returned_when_it_is_safe() -> None:
    async with client() as http:
        answer = await http.get("/things/a", headers={"X-Request-ID": "abc-1._"})
        assert answer.headers["x-request-id"] == answer.json()["request"] == "abc-1._"
        seen = set()
        for unsafe in (b"", b"a b", b"a\tb", b'"', b"x" * 101, b"\xff"):
            answer = await http.get("/things/a", headers=[(b"x-request-id", unsafe)])
            seen.add(answer.headers["x-request-id"])
        assert len(seen) == 6
        assert all(len(made) == 32 for made in seen)


async def test_a_trace_goes_on_and_a_broken_one_begins_anew() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    async with client() as http:
        for given, kept in ((trace, True), (trace.upper(), False), ("x", False), (trace + "-x", False)):
            found = (await http.get("/things/a", headers={"traceparent": given})).json()["trace"]
            assert (found == given) is kept
            assert len(found) == len(trace)


async def test_every_problem_is_answered_in_its_wires_shape() -> None:
    async with client() as http:
        answer = await http.post("/raises/full", headers={"X-Request-ID": "r1"})
        assert (answer.status_code, answer.headers["content-type"], answer.headers["retry-after"]) == (
            429,
            PROBLEM,
            "5",
        )
        told = answer.json()
        assert (told["code"], told["instance"], told["queue_length"]) == ("queue_full", "urn:request:r1", 3)
        old = await http.post("/old/full")
        assert (old.status_code, old.text, old.headers["content-type"].split(";")[0]) == (
            429,
            "3 jobs wait",
            "text/plain",
        )


async def test_what_a_client_sent_can_always_be_told_back() -> None:
    async with client() as http:
        answer = await http.post("/raises/surrogate")
    assert answer.status_code == 422
    assert json.loads(answer.content)["field"] == "\ud800"


@pytest.mark.parametrize("path", ["/raises/defect", "/raises/broken"])
async def test_a_defect_is_opaque_to_the_client_and_whole_in_the_log(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with client() as http:
        answer = await http.post(path, headers={"X-Request-ID": "r1"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert answer.headers["x-request-id"] == "r1"
    assert "secret" not in answer.text
    failed = [record for record in caplog.records if record.message == "unexpected error"]
    assert len(failed) == 1
    assert failed[0].exc_info is not None
    assert isinstance(failed[0].exc_info[1], RuntimeError | TypeError)


async def test_a_defect_after_the_answer_has_begun_is_in_the_log_too(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        return GONE

    async def send(message: Message) -> None:
        sent.append(message)

    await service()(scope("GET", [], "/late"), receive, send)
    assert [message.get("body") for message in sent[1:]] == [b"begun"]  # and no end: the server breaks the connection
    assert [record.message for record in caplog.records if record.exc_info] == ["unexpected error"]


async def test_an_http_errors_status_and_headers_are_kept() -> None:
    async with client() as http:
        teapot = await http.post("/raises/teapot")
        assert (teapot.status_code, teapot.json()["code"], teapot.headers["x-pot"]) == (418, "http_error", "tea")
        wrong = await http.delete("/things/a")
        assert (wrong.status_code, wrong.headers["allow"], wrong.headers["content-type"]) == (405, "GET", PROBLEM)
        nowhere = await http.get("/nowhere")
        assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")


async def test_a_bad_field_is_named_and_its_value_not_repeated() -> None:
    async with client() as http:
        answer = await http.post("/ball", json={"size": "hunter2"})
        told = answer.json()
        assert (answer.status_code, told["code"], told["field"]) == (422, "invalid", "size")
        assert not told["detail"].startswith("size")  # whoever shows both would say it twice
        assert "hunter2" not in answer.text
        assert (await http.get("/things/a?size=x")).json()["field"] == "query.size"


async def pieces(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 100):
        yield b"x" * 100


@pytest.mark.parametrize("path", ["/body", "/old/../body"])
async def test_a_body_over_the_limit_is_refused_announced_or_streamed(path: str) -> None:
    async with client() as http:
        assert (await http.post(path, content=b"x" * LIMIT)).json() == LIMIT
        assert (await http.post(path, content=pieces(LIMIT))).json() == LIMIT
        for content in (b"x" * (LIMIT + 1), pieces(LIMIT + 100), pieces(100 * LIMIT)):
            answer = await http.post(path, content=content)
            assert (answer.status_code, answer.json()["limit"]) == (413, LIMIT)


async def test_an_announced_body_is_refused_before_any_of_it_is_read() -> None:
    for announced in ("1001", "9" * 5000):
        status, read = await raw(headers=[(b"content-length", announced.encode())])
        assert (status, read) == (413, 0)


@pytest.mark.parametrize("announced", ["\xb2", "-5", "x", "", "1e9"])
async def test_a_length_that_is_none_does_not_lift_the_limit(announced: str) -> None:
    status, _ = await raw(headers=[(b"content-length", announced.encode("latin-1"))], chunks=[b"x" * 600] * 3)
    assert status == 413


async def raw(
    headers: list[tuple[bytes, bytes]] | None = None, chunks: list[bytes] | None = None, method: str = "POST"
) -> tuple[int, int]:
    """Ask /body as a server would; return the status, and how often the body was read."""
    left, sent, read = list(chunks or [b"x"]), [], 0

    async def receive() -> Message:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)} if left else GONE

    async def send(message: Message) -> None:
        sent.append(message)

    await service()(scope(method, headers or []), receive, send)
    return sent[0]["status"], read


GONE: Message = {"type": "http.disconnect"}


def scope(method: str, headers: list[tuple[bytes, bytes]], path: str = "/body") -> Scope:
    return {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
        "query_string": b"", "headers": headers, "client": ("1.1.1.1", 1), "server": ("test", 80),
        "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
    }  # fmt: skip


async def test_a_client_that_leaves_while_sending_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return GONE

    async def send(message: Message) -> None:
        sent.append(message)

    await service()(scope("POST", []), receive, send)
    assert sent[0]["status"] == 499
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_key_is_asked_for_and_its_scheme_named() -> None:
    async with client() as http:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic key"}):
            answer = await http.get("/mine", headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert (await http.get("/mine", headers={"Authorization": "Bearer key"})).status_code == 200


@pytest.mark.parametrize(("key", "first"), [("wrong", "websocket.http.response.start"), ("key", "websocket.accept")])
async def test_a_websocket_without_a_key_is_denied_before_it_opens(key: str, first: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asked = scope("GET", [(b"authorization", f"Bearer {key}".encode())], "/socket")
    extensions: dict[str, Any] = {"extensions": {"websocket.http.response": {}}, "subprotocols": []}
    await service()({**asked, **extensions, "type": "websocket", "scheme": "ws"}, receive, send)
    assert sent[0]["type"] == first
    if key == "wrong":
        assert sent[0]["status"] == 401


async def ready() -> str:
    return "warm"


async def loading() -> str:
    raise EngineUnavailable("the engine is loading")


async def broken() -> str:
    raise RuntimeError("the secret")


async def test_readiness_is_what_all_checks_say() -> None:
    async with client(service({"engine": ready, "store": ready})) as http:
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]) == (200, {"engine": "warm", "store": "warm"})
        assert (await http.get("/livez")).json() == {"status": "alive"}


async def test_a_check_that_fails_is_told_and_a_defect_in_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with client(service({"engine": loading, "store": broken, "more": ready})) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["engine"] == "the engine is loading"
    assert answer.json()["checks"]["more"] == "warm"
    assert "secret" not in answer.text
    assert [record.message for record in caplog.records if record.exc_info] == ["the check of store failed"]


async def test_metrics_count_by_route_and_never_by_what_a_client_invents() -> None:
    app = service()
    async with client(app) as http:
        for name in ("a", "b"):
            await http.get(f"/things/{name}")
        await http.get("/invented/path")
        await http.request("INVENTED", "/things/a")
        text = (await http.get("/metrics")).text
    assert 'http_requests_total{method="GET",route="/things/{name}",status="200"} 2.0' in text
    assert 'http_requests_total{method="GET",route="unknown",status="404"} 1.0' in text
    assert "nvented" not in text.lower()


async def test_metrics_say_which_check_is_not_well() -> None:
    async with client(service({"engine": loading, "store": ready})) as http:
        text = (await http.get("/metrics")).text
    assert 'service_ready{check="engine"} 0.0' in text
    assert 'service_ready{check="store"} 1.0' in text


async def test_one_line_is_logged_for_each_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cleanplate")
    async with client() as http:
        await http.get("/things/a?size=1")
    assert [record.getMessage() for record in caplog.records] == ["GET /things/{name} 200"]


async def test_two_requests_at_once_keep_their_own_ids() -> None:
    async with client() as http:
        calls = [http.get("/things/a", headers={"X-Request-ID": f"r{n}"}) for n in range(10)]
        assert [answer.json()["request"] for answer in await asyncio.gather(*calls)] == [f"r{n}" for n in range(10)]
