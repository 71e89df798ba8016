"""How the backend asks a service that is down, busy, or will not do it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from backend import clients
from backend.choices import Choice
from backend.clients import InpaintClient, Refused, ServiceClient
from cleanplate.contract.messages import BoxModel
from cleanplate.contract.problems import RegionOutside, UpstreamFailed, UpstreamRefused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def client(handler: Handler, patience_s: float = 5.0, timeout_s: float = 5.0) -> AsyncIterator[ServiceClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession() as session:
            yield ServiceClient("a-service", f"http://127.0.0.1:{port}", "key", session, patience_s, timeout_s)
    finally:
        await runner.cleanup()


class Answers:
    """Answers with one response after the other, the last one again and again."""

    def __init__(self, *statuses: int, **headers: str):
        self.statuses = list(statuses)
        self.body: dict[str, object] = {"detail": "why", "code": "x"}
        self.headers = headers
        self.requests: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.json_response(self.body, status=status, headers=self.headers)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "FIRST_PAUSE_S", 0.001)


async def asked(answers: Answers, **more: float) -> list[str]:
    told: list[str] = []

    async def on_retry(service: str, reason: str) -> None:
        told.append(f"{service}: {reason}")

    async with client(answers.answer, **more) as service:
        await service.patiently(lambda: service.get("/x"), on_retry)
    return told


async def test_a_service_that_is_down_for_a_moment_is_asked_again() -> None:
    answers = Answers(503, 500, 429, 200)
    told = await asked(answers)
    assert told == [f"a-service: a-service answered {status}: why" for status in (503, 500, 429)]
    assert answers.requests[0].headers["Authorization"] == "Bearer key"


async def test_patience_has_an_end_and_says_why() -> None:
    with pytest.raises(UpstreamFailed, match="a-service answered 503: why"):
        await asked(Answers(503), patience_s=0.05)


async def test_a_longer_retry_after_than_the_patience_ends_it_at_once() -> None:
    answers = Answers(429, **{"Retry-After": "60"})
    with pytest.raises(UpstreamFailed):
        await asked(answers)
    assert len(answers.requests) == 1


async def test_a_service_that_says_that_no_retry_helps_is_not_asked_again() -> None:
    answers = Answers(503)
    answers.body["retryable"] = False
    with pytest.raises(UpstreamRefused, match="a-service answered 503: why"):
        await asked(answers)
    assert len(answers.requests) == 1


async def test_a_refusal_is_not_asked_again() -> None:
    answers = Answers(418)
    with pytest.raises(Refused, match="a-service answered 418: why"):
        await asked(answers)
    assert len(answers.requests) == 1


async def test_a_known_problem_comes_back_as_itself() -> None:
    async def handler(_: web.Request) -> web.Response:
        body = {"detail": "region 3", "code": "region_outside", "field": "regions.3"}
        return web.json_response(body, status=422)

    async with client(handler) as service:
        with pytest.raises(RegionOutside, match="region 3") as refused:
            await service.get("/x")
    assert refused.value.field == "regions.3"


async def test_a_service_that_hangs_up_is_asked_again() -> None:
    calls = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        if calls == 1:
            assert request.transport is not None
            request.transport.close()
        return web.Response(body=b"here")

    async with client(handler) as service:

        async def on_retry(_: str, reason: str) -> None:
            assert "does not answer" in reason

        assert await service.patiently(lambda: service.get("/x"), on_retry) == b"here"


async def test_the_inpaint_service_is_told_what_of_a_region_is_erased_where_the_region_says_it() -> None:
    sent: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        sent.append(await request.read())
        return web.json_response({})

    box = BoxModel(x=0, y=0, width=9, height=9)
    usual = Choice(id="usual", polygon=[(0, 0), (9, 0), (9, 9)], box=box, text="", score=1, angle=0)
    whole = usual.model_copy(update={"id": "whole", "mask_mode": "polygon"})
    async with client(answer) as service:
        inpaint = InpaintClient("inpaint-service", service.url, "", service.session, 5.0, 5.0)
        await inpaint.submit(b"", [usual, whole], {}, "task")
    assert sent[0].count(b'"mask_mode"') == 1
    assert re.search(rb'"id": "whole"[^}]*"mask_mode": "polygon"', sent[0])
