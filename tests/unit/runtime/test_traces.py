"""Spans, and the collector that is told of them."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest
from fastapi import APIRouter, FastAPI
from httpx import ASGITransport, AsyncClient

from cleanplate.contract.problems import NotReady
from cleanplate.runtime import collector, logs, service, traces
from cleanplate.runtime.access import Keys
from cleanplate.runtime.collector import Collector
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.jobs import NewJob
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.run import Run
from cleanplate.runtime.settings import ServiceSettings
from cleanplate.runtime.web import create_app
from tests.fakes.collector import FakeCollector, Told
from tests.unit.runtime.conftest import Jobs

TRACE, CALLER = "a" * 32, "b" * 16
GIVEN = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def fake() -> Iterator[FakeCollector]:
    with FakeCollector() as running:
        yield running


@pytest.fixture
def told(fake: FakeCollector) -> Iterator[Callable[[], dict[str, Told]]]:
    """Record this test's spans; returns those that were told, by name."""
    recorder = Collector("test", fake.url, 1.0)
    traces.use(recorder)
    outer = logs.traceparent.set("")

    def close() -> dict[str, Told]:
        recorder.close()
        return {span.name: span for span in fake.spans}

    yield close
    close()
    logs.traceparent.reset(outer)
    traces.use(None)


def kept() -> bool:
    """Say whether the trace that is at work is told of, by its flags."""
    return bool(int(logs.traceparent.get()[-2:], 16) & 1)


def test_a_span_without_a_collector_is_nothing() -> None:
    before = logs.traceparent.get()
    with traces.span("step", {"page": 1}):
        assert logs.traceparent.get() == before


def test_a_setting_without_its_packages_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cleanplate.runtime.collector")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SystemExit, match=r"opentelemetry.*install shared/traces\.lock beside the service's packages"):
        service.open_recorder("test", ServiceSettings(otlp_endpoint="http://127.0.0.1:4318"))


def test_an_endpoint_must_be_an_address_of_the_web() -> None:
    with pytest.raises(ValueError, match="must begin with http:// or https://"):
        ServiceSettings(otlp_endpoint="collector:4317")


def test_spans_are_made_in_each_other_and_in_the_callers(told: Callable[[], dict[str, Told]]) -> None:
    logs.traceparent.set(GIVEN)
    with traces.span("outer"), traces.span("inner", {"page": 3}, kind="client"):
        within = logs.traceparent.get()
    assert logs.traceparent.get() == GIVEN
    spans = told()
    outer, inner = spans["outer"], spans["inner"]
    assert (outer.trace, outer.parent, inner.trace, inner.parent) == (TRACE, CALLER, TRACE, outer.id)
    assert within == f"00-{TRACE}-{inner.id}-01"
    assert (outer.kind, inner.kind, inner.attributes) == ("internal", "client", {"page": 3})
    assert outer.service == "test"


def test_a_failure_has_its_code_and_not_its_words(told: Callable[[], dict[str, Told]], fake: FakeCollector) -> None:
    with pytest.raises(NotReady), traces.span("problem"):
        raise NotReady("the words")
    with pytest.raises(ValueError, match="words"), traces.span("error"):
        raise ValueError("the words")
    spans = told()
    assert spans["problem"].attributes == {traces.ERROR: "not_ready"}
    assert spans["error"].attributes == {traces.ERROR: "ValueError"}
    assert spans["problem"].failed
    assert not any(b"the words" in body for body in fake.bodies)


def test_a_trace_that_its_caller_does_not_keep_is_not_told(told: Callable[[], dict[str, Told]]) -> None:
    logs.traceparent.set(f"00-{TRACE}-{CALLER}-00")
    with traces.span("unheard"):
        assert not kept()
    assert told() == {}


def test_a_ratio_of_nothing_keeps_no_trace_that_begins_here(fake: FakeCollector) -> None:
    recorder = Collector("test", fake.url, 0.0)
    with recorder.recorded(traces.Span("unheard", {}), "internal"):
        assert not kept()
    recorder.close()
    assert fake.spans == []


async def test_spans_of_what_runs_at_once_do_not_mix(told: Callable[[], dict[str, Told]]) -> None:
    async def page(number: int, meeting: asyncio.Barrier) -> None:
        with traces.span(f"page {number}"):
            await meeting.wait()
            await asyncio.to_thread(call, number)

    def call(number: int) -> None:
        with traces.span(f"call {number}"):
            pass

    with traces.span("job"):
        meeting = asyncio.Barrier(2)
        await asyncio.gather(page(1, meeting), page(2, meeting))
    spans = told()
    assert spans["page 1"].parent == spans["page 2"].parent == spans["job"].id
    assert [spans[f"call {number}"].parent == spans[f"page {number}"].id for number in (1, 2)] == [True, True]


@pytest.mark.parametrize("answers", [503, 400], ids=["is busy", "refuses"])
def test_a_collector_that_takes_nothing_is_told_of_once(
    answers: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collector, "EXPORT_S", 0.1)
    monkeypatch.setattr(collector, "BATCH", 1)
    with FakeCollector(answers) as fake:
        recorder = Collector("test", fake.url, 1.0)
        for name in ("one", "two", "three"):
            with recorder.recorded(traces.Span(name, {}), "internal"):
                pass
        recorder.close()
        fake.status = 200
    assert [record.getMessage() for record in caplog.records] == [
        "the collector of traces does not take them, they are dropped until it does"
    ]


def test_a_collector_that_never_answers_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collector, "FLUSH_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        recorder = Collector("test", f"http://127.0.0.1:{silent.getsockname()[1]}", 1.0)
        with recorder.recorded(traces.Span("lost", {}), "internal"):
            pass
        recorder.close()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_what_does_not_fit_into_the_queue_is_dropped(fake: FakeCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "QUEUE", 4)
    monkeypatch.setattr(collector, "BATCH", 4)
    held = fake._news
    recorder = Collector("test", fake.url, 1.0)
    with held:  # the collector takes the first batch and answers only after this
        for number in range(100):
            with recorder.recorded(traces.Span(str(number), {}), "internal"):
                pass
    recorder.close()
    assert 4 <= len(fake.spans) < 100


def application(recorder: Collector) -> FastAPI:
    app = create_app(
        "test", "1", keys=Keys([]), metrics=Metrics("test"), limit_bytes=1000, checks={}, running=nullcontext,
        recorder=recorder,
    )  # fmt: skip
    router = APIRouter()

    @router.post("/k/{key}/ocr")
    async def keyed(key: str) -> dict[str, str]:
        return {"traceparent": logs.traceparent.get()}

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("broken")

    app.include_router(router)
    return app


async def test_a_request_is_told_by_its_route_and_never_by_its_path(
    fake: FakeCollector,
) -> None:
    recorder = Collector("test", fake.url, 1.0)
    app = application(recorder)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as http:
        first = await http.post("/k/secret/ocr?name=secret", headers={"traceparent": GIVEN})
        second = await http.post("/k/secret/ocr")
        await http.get("/broken")
        await http.get("/secret")
        await http.get("/livez")
    recorder.close()
    given, fresh, broken, missing = fake.spans
    assert (given.name, given.kind, given.trace, given.parent) == ("POST /k/{key}/ocr", "server", TRACE, CALLER)
    assert given.attributes == {
        "http.request.method": "POST",
        "http.route": "/k/{key}/ocr",
        "http.response.status_code": 200,
    }
    assert first.json()["traceparent"] == f"00-{TRACE}-{given.id}-01"
    assert (fresh.parent, second.json()["traceparent"][:53]) == ("", f"00-{fresh.trace}-{fresh.id}-")
    assert (broken.name, broken.failed, broken.attributes[traces.ERROR]) == ("GET /broken", True, "500")
    assert (missing.name, missing.failed) == ("GET unknown", False)
    assert not any(b"secret" in body for body in fake.bodies)


async def test_a_log_line_has_the_id_of_its_trace(told: Callable[[], dict[str, Told]]) -> None:
    record = logging.makeLogRecord({"msg": "hello"})
    with traces.span("step"):
        line = json.loads(logs.JsonLines().format(record))
    assert line["trace_id"] == told()["step"].trace


async def test_each_attempt_at_a_job_is_in_the_trace_of_its_submit(
    told: Callable[[], dict[str, Told]], fake: FakeCollector, board: Jobs
) -> None:
    async def handler(run: Run) -> None:
        with traces.span("step"):
            seen.append(logs.traceparent.get()[3:35])
        if run.job.attempt == 1:
            await run.release("again")
        elif run.job.id == "a":
            await run.succeed({})
        else:
            raise NotReady("the words")

    seen: list[str] = []
    then = NewJob("b", board.kind, {}, "digest", waits_for="a")
    with traces.span("submit"):
        await board.submit(NewJob("a", board.kind, {}, "digest"), {}, [then])
    dispatcher = LocalDispatcher(board, handler)
    await dispatcher.start()
    async for _ in board.follow("b"):
        pass
    await dispatcher.stop()
    submit = told()["submit"]
    jobs = [span for span in fake.spans if span.name == "job test"]
    assert [(span.trace, span.parent, span.kind) for span in jobs] == [(submit.trace, submit.id, "consumer")] * 4
    assert [(span.attributes["job.id"], span.attributes["job.state"]) for span in jobs] == [
        ("a", "queued"),
        ("a", "succeeded"),
        ("b", "queued"),
        ("b", "failed"),
    ]
    assert jobs[3].attributes[traces.ERROR] == "not_ready"
    assert seen == [submit.trace] * 4
