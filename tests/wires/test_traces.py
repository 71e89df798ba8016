"""One trace of a job through the three services, as a collector is told of it."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.app import make_app
from backend.cli.ports import free_ports
from backend.settings import BackendSettings
from cleanplate.runtime import collector
from tests.fakes import pages
from tests.fakes.collector import FakeCollector, Told
from tests.wires.conftest import Serve, ServeOcr
from tests.wires.dark import SIGN, pdf
from tests.wires.pictures import order
from tests.wires.serving import Live
from tests.wires.test_documents_killed import Service

KEY, CALLER = "key-of-a-caller", f"00-{'a' * 32}-{'b' * 16}-01"
B, O, I = "backend", "ocr-service", "inpaint-service"  # noqa: E741 - the three services, in long rows
SUBMIT, JOB = (B, "POST /api/v1/jobs"), (B, "job erase")
DETECT, ASYNC = "POST /v1/detect", "POST /api/v1/inpaint-regions-async"
TASK = (SUBMIT, JOB, (B, "inpaint"), (B, ASYNC), (I, ASYNC), (I, "job inpaint"))
EXPECTED = {
    (SUBMIT,),
    (SUBMIT, JOB),
    (SUBMIT, JOB, (B, "detect"), (B, DETECT), (O, DETECT), (O, "engine")),
    (*TASK[:3], (B, "mask"), (B, "POST /api/v1/mask"), (I, "POST /api/v1/mask")),
    (*TASK, (I, "decode")),
    (*TASK, (I, "mask")),
    (*TASK, (I, "inpaint"), (I, "repaint")),
    (*TASK, (I, "finalize")),
    (*TASK[:3], (B, "GET /api/v1/ws/progress"), (I, "GET /api/v1/ws/progress/{task_id}")),
    (*TASK[:3], (B, "GET /api/v1/task-result"), (I, "GET /api/v1/task-result/{task_id}")),
    (SUBMIT, JOB, (B, "verify"), (B, DETECT), (O, DETECT), (O, "engine")),
    (SUBMIT, JOB, (B, "finalize")),
}
Backend = Live[BackendSettings]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeCollector]:
    with FakeCollector() as running:
        yield running


@pytest.fixture(scope="module")
def backend(
    fake: FakeCollector, serve: Serve, serve_ocr: ServeOcr, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """A backend with its two services, all of which tell the collector."""
    ocr, inpaint = serve_ocr(otlp_endpoint=fake.url, api_keys=KEY), serve(otlp_endpoint=fake.url)
    made = BackendSettings(
        data=tmp_path_factory.mktemp("backend"), ocr_url=ocr.url, inpaint_url=inpaint.url, ocr_key=KEY, pdf_dpi=72,
        otlp_endpoint=fake.url,
    )  # fmt: skip
    live = Live(make_app(made), made)
    live.start()
    live.until_ready()
    yield live
    live.stop()


def erased(backend: Backend, data: bytes, name: str, **headers: str) -> str:
    """Return the id of a job that has succeeded."""
    job = backend.post("/api/v1/jobs", files={"file": (name, data)}, headers=headers).json()["job_id"]
    assert backend.get(f"/api/v1/jobs/{job}?wait=30").json()["status"] == "succeeded"
    return str(job)


def of_job(job: str, spans: list[Told]) -> list[Told]:
    """Return the spans of a job's trace."""
    traces = {span.trace for span in spans if span.attributes.get("job.id") == job}
    return [span for span in spans if span.trace in traces]


def way(span: Told, spans: list[Told]) -> tuple[tuple[str, str], ...]:
    """Return the service and name of each span from the first one of the trace to this one."""
    above = [other for other in spans if other.id == span.parent]
    return (*way(above[0], spans), (span.service, span.name)) if above else ((span.service, span.name),)


def ways(spans: list[Told]) -> set[tuple[tuple[str, str], ...]]:
    return {way(span, spans) for span in spans}


def test_one_trace_leads_through_the_three_services(backend: Backend, fake: FakeCollector) -> None:
    job = erased(backend, SIGN, "name-of-a-client.png")
    spans = of_job(job, fake.until(lambda spans: ways(of_job(job, spans)) >= EXPECTED))
    assert len({span.trace for span in spans}) == 1
    assert [span.name for span in spans if not span.parent] == ["POST /api/v1/jobs"]
    assert not [span for span in spans if span.failed]
    assert fake.paths == {"/v1/traces"}


def test_each_page_of_a_document_is_told_of(backend: Backend, fake: FakeCollector) -> None:
    def told(spans: list[Told]) -> set[tuple[str, int]]:
        return {(span.name, span.attributes["page"]) for span in of_job(job, spans) if "page" in span.attributes}

    job = erased(backend, pdf(2), "name-of-a-client.pdf", traceparent=CALLER)
    steps = ("render", "detect", "mask", "inpaint", "verify", "finalize")
    fake.until(lambda spans: told(spans) >= {(step, page) for step in steps for page in (1, 2)})
    assert {span.trace for span in of_job(job, fake.spans)} == {CALLER[3:35]}


def test_neither_keys_nor_text_nor_names_are_told(backend: Backend, fake: FakeCollector, serve_ocr: ServeOcr) -> None:
    erased(backend, SIGN, "name-of-a-client.png")
    locked = serve_ocr(otlp_endpoint=fake.url, api_keys=KEY)
    assert locked.post(f"/k/{KEY}/ocr?name=name-of-a-client", {"file": ""}).status_code >= 400
    assert locked.get(f"/{KEY}").status_code == 404
    fake.until(lambda spans: {"POST /k/{key}/ocr", "GET unknown", "job erase"} <= {span.name for span in spans})
    for secret in (KEY, "EXIT", "name-of-a-client", backend.url.rpartition("/")[2]):
        assert not [body for body in fake.bodies if secret.encode() in body], secret


def test_a_job_that_is_taken_over_keeps_its_trace(
    fake: FakeCollector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCR_OTLP_ENDPOINT", fake.url)
    ocr = Service(tmp_path, page=2, times=1)
    try:
        ocr.start()
        ocr.http.headers["traceparent"] = f"00-{'c' * 32}-{'d' * 16}-01"
        path = ocr.submit(pages.document(3))
        ocr.died()
        ocr.start()
        assert ocr.ended(path)["status"] == "succeeded"
        fake.until(lambda spans: any(span.attributes.get("job.attempt") == 2 for span in spans))
    finally:
        ocr.stop()
    second = next(span for span in fake.spans if span.attributes.get("job.attempt") == 2)
    assert (second.trace, second.attributes["job.state"]) == ("c" * 32, "succeeded")
    read = [span.attributes["page"] for span in fake.spans if span.name == "read" and span.parent == second.id]
    assert read == [2, 3]


def test_a_collector_that_is_away_costs_one_line_in_the_log(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collector, "EXPORT_S", 0.1)
    monkeypatch.setattr(collector, "PAUSE_S", 0.01)
    (nobody,) = free_ports("127.0.0.1", 1)
    inpaint = serve(otlp_endpoint=f"http://127.0.0.1:{nobody}")
    for name in ("first", "second"):
        inpaint.post("/api/v1/inpaint-regions-async", order(task_id=name))
        assert inpaint.ended(name)["status"] == "completed"
    inpaint.stop()
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in told] == [
        "the collector of traces does not take them, they are dropped until it does"
    ]


def test_a_service_that_tells_nobody_loads_nothing_for_it(tmp_path: Path) -> None:
    program = "import sys; from backend.app import make_app; from backend.settings import BackendSettings;"
    program += "make_app(BackendSettings(data=sys.argv[1]));"
    program += "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
