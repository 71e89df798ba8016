"""`cleanplate jobs`, `watch`, `cancel` and `retry` against a backend that is a list of answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from backend.cli import app, endpoints, jobs
from backend.cli.exits import exit_code
from backend.cli.terminal import Terminal
from cleanplate.client import Client

VIEW = {"job_id": "j1", "status": "running", "seq": 2, "progress": 0.5, "name": "a.png", "created_at": "2026-01-01T10"}
AT = "2026-01-01T00:00:00Z"


class Backend:
    """Knows one job, whose log ends as `end` says."""

    def __init__(self, end: str = "succeeded"):
        self.end = end
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode()}")
        error = {"code": "odd", "detail": "no such engine"} if self.end == "failed" else None
        if request.url.path == "/api/v1/jobs":
            return httpx.Response(200, json={"jobs": [VIEW] * 3, "next": "more"})
        if not request.url.path.startswith("/api/v1/jobs/j1"):
            return httpx.Response(404, json={"detail": "there is no such job", "code": "not_found"})
        if request.url.path.endswith("/events"):
            log = [(1, "progress", {"progress": 0.5, "message": "2 regions"}), (2, self.end, {"progress": 1.0})]
            told = [{"job_id": "j1", "seq": seq, "type": kind, "at": AT, "data": data} for seq, kind, data in log]
            return httpx.Response(200, text="".join(f"data: {json.dumps(each)}\n\n" for each in told))
        return httpx.Response(200, json=VIEW | {"status": self.end, "error": error})


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def client(backend: Backend) -> Iterator[Client]:
    with Client(transport=httpx.MockTransport(backend)) as client:
        yield client


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_newest_jobs_are_listed(backend: Backend, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert jobs.list_jobs(client, "running", 5, Terminal(as_json=True))
    assert lines(capsys) == [VIEW] * 5
    assert backend.asked == ["GET /api/v1/jobs?status=running", "GET /api/v1/jobs?status=running&after=more"]
    assert jobs.list_jobs(client, None, 1, Terminal())
    assert capsys.readouterr().out == "j1  running     50%  2026-01-01T10        a.png\n"


def test_a_job_is_watched_to_its_end(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert jobs.watch(client, "j1", Terminal(as_json=True))
    assert [(line["seq"], line["type"]) for line in lines(capsys)] == [(1, "progress"), (2, "succeeded")]
    assert jobs.watch(client, "j1", Terminal())
    assert capsys.readouterr().out.splitlines()[0] == f"{AT}   50%  progress      2 regions"


@pytest.mark.parametrize(("end", "reason"), [("failed", "no such engine"), ("cancelled", "was cancelled")])
def test_a_job_that_did_not_succeed_is_a_failure(
    backend: Backend, client: Client, capsys: pytest.CaptureFixture[str], end: str, reason: str
) -> None:
    backend.end = end
    assert not jobs.watch(client, "j1", Terminal())
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_jobs_are_changed_and_one_that_is_not_there_stops_no_other(
    verb: Any, backend: Backend, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.end = "cancelled" if verb == "cancel" else "queued"
    assert not jobs.change(client, verb, ["gone", "j1"], Terminal(as_json=True))
    said = capsys.readouterr()
    assert json.loads(said.out)["status"] == backend.end
    assert f"POST /api/v1/jobs/j1/{verb}" in backend.asked
    assert "job gone: there is no such job" in said.err
    assert jobs.change(client, verb, ["j1"], Terminal())


def test_what_a_backend_refuses_is_a_failure_with_its_reason(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    assert exit_code(lambda: jobs.watch(client, "gone", terminal), terminal) == 1
    assert "cleanplate: there is no such job" in capsys.readouterr().err


def test_where_no_backend_runs_none_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLEANPLATE_BACKEND_URL", raising=False)
    monkeypatch.setattr(endpoints, "PORTS", {"backend": 9})
    done = CliRunner().invoke(app.app, ["jobs"])
    assert (done.exit_code, "`cleanplate up` starts one" in done.stderr) == (1, True)
    done = CliRunner().invoke(app.app, ["cancel", "j1", "--backend", "http://127.0.0.1:9"])
    assert (done.exit_code, "nothing answers at http://127.0.0.1:9" in done.stderr) == (1, True)
    assert CliRunner().invoke(app.app, ["jobs", "--status", "odd"]).exit_code == 2
