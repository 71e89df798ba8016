"""`cleanplate erase` against a backend that is a small class; the pictures are a few bytes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from backend.cli import app, endpoints
from backend.cli.batch import Wishes
from backend.cli.erase import Files, erase
from backend.cli.exits import exit_code
from backend.cli.inputs import Item
from backend.cli.outcomes import Outcome
from backend.cli.terminal import Terminal
from backend.cli.tickets import Ticket
from cleanplate.client import retries

Event = dict[str, Any]


def progress(seq: int, share: float, message: str) -> Event:
    return {"seq": seq, "type": "progress", "data": {"stage": "detecting", "progress": share, "message": message}}


SUCCEEDED = {"seq": 3, "type": "succeeded", "data": {"progress": 1.0}}
LOG = [progress(1, 0.3, "2 regions of text found"), progress(2, 0.95, "repainted"), SUCCEEDED]


@dataclass
class FakeBackend:
    """Erases a picture by writing it backwards; one that begins with `bad` fails, with `slow` it takes forever."""

    streams: bool = True
    media_type: str = "application/octet-stream"
    drop_after: int = 0
    busy: int = 0
    url: str = ""
    jobs: dict[str, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    cursors: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    ended: str = ""
    retried: list[str] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/livez", self.alive)
        app.router.add_get("/readyz", self.alive)
        app.router.add_get("/openapi.json", self.title)
        app.router.add_post("/api/v1/jobs", self.submit)
        app.router.add_get("/api/v1/jobs/{id}", self.view)
        app.router.add_get("/api/v1/jobs/{id}/result", self.result)
        app.router.add_post("/api/v1/jobs/{id}/cancel", self.cancel)
        app.router.add_post("/api/v1/jobs/{id}/retry", self.retry)
        app.router.add_get("/api/v1/jobs/{id}/events", self.events)
        return app

    async def alive(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ready"})

    async def title(self, _: web.Request) -> web.Response:
        return web.json_response({"info": {"title": "cleanplate backend"}})

    async def submit(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers["Idempotency-Key"])
        form = await request.post()
        if len(self.keys) <= self.busy:
            return web.json_response({"detail": "full", "code": "queue_full"}, status=429, headers={"Retry-After": "0"})
        file = form["file"]
        assert isinstance(file, web.FileField)
        image = file.file.read()
        if image.startswith(b"refused"):
            return web.json_response({"detail": "is not a picture", "code": "malformed"}, status=400)
        job_id = self.known.setdefault(request.headers["Idempotency-Key"], f"job-{len(self.known)}")
        self.jobs[job_id] = image, json.loads(str(form["options"]))
        view = {"job_id": job_id, "status": self.ended or "queued", "result": {"regions": []}}
        return web.json_response(view if job_id == "job-0" else {**view, "status": "queued"}, status=202)

    async def view(self, request: web.Request) -> web.Response:
        image, _ = self.jobs[request.match_info["id"]]
        view: dict[str, Any] = {"job_id": request.match_info["id"], "progress": 1.0, "seq": 3}
        if image.startswith(b"bad"):
            return web.json_response(view | {"status": "failed", "error": {"code": "odd", "detail": "no such engine"}})
        if image.startswith(b"slow") or (self.drop_after and len(self.cursors) < 2):
            return web.json_response(view | {"status": "running"})
        residual = ["r2"] if image.startswith(b"stubborn") else []
        result = {"regions": [{}, {}], "residual_regions": residual}
        return web.json_response(view | {"status": "succeeded", "result": result})

    async def result(self, request: web.Request) -> web.Response:
        return web.Response(body=self.jobs[request.match_info["id"]][0][::-1], content_type=self.media_type)

    async def cancel(self, request: web.Request) -> web.Response:
        self.cancelled.append(job_id := request.match_info["id"])
        return web.json_response({"job_id": job_id, "status": "cancelled"})

    async def retry(self, request: web.Request) -> web.Response:
        self.retried.append(job_id := request.match_info["id"])
        return web.json_response({"job_id": job_id, "status": "queued"}, status=202)

    async def events(self, request: web.Request) -> web.StreamResponse:
        if not self.streams:
            return web.Response(status=502)
        image, _ = self.jobs[request.match_info["id"]]
        after = int(request.headers["Last-Event-ID"])
        self.cursors.append(after)
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        self.begun.set()
        for event in LOG:
            if image.startswith(b"slow"):
                await asyncio.sleep(3600)
            if event["seq"] > after:
                told = {"job_id": request.match_info["id"], "at": "2026-01-01T00:00:00Z", **event}
                await stream.write(f"id: {event['seq']}\ndata: {json.dumps(told)}\n\n".encode())
            if self.drop_after == event["seq"] and len(self.cursors) == 1:
                assert request.transport is not None
                request.transport.close()
                return stream
        return stream


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    runners: list[web.AppRunner] = []

    async def serve(**more: Any) -> FakeBackend:
        fake = FakeBackend(**more)
        runner = web.AppRunner(fake.app(), shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return fake

    yield serve
    for runner in runners:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.0)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.png").write_bytes(f"picture {name}".encode())
    return folder


async def run(fake: FakeBackend, inputs: list[Path], out: Path, **more: Any) -> int:
    """Return the exit code."""
    files = Files([str(path) for path in inputs], str(out), more.pop("format", None), more.pop("force", False))
    wishes, terminal = Wishes(more.pop("options", {}), jobs=2), Terminal(as_json=True)

    def work() -> int:
        return exit_code(lambda: erase(files, wishes, more.get("backend", fake.url), out.parent, terminal), terminal)

    return await asyncio.to_thread(work)


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """Return what stdout has, by the name of the picture; every line must be an object."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {Path(line["input"]).name: line for line in lines}


async def test_every_picture_of_a_folder_is_erased(
    start: Start, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake, out = await start(), pictures.parent / "out"
    assert await run(fake, [pictures], out, options={"model": "lama"}, format="webp") == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        f"{name}.webp": f"picture {name}".encode()[::-1] for name in "abc"
    }
    assert [options for _, options in fake.jobs.values()] == [{"model": "lama", "output_format": "webp"}] * 3
    lines = said(capsys)
    assert {line["status"] for line in lines.values()} == {"done"}
    assert {line["regions"] for line in lines.values()} == {2}
    assert lines["a.png"]["output"] == str(out / "a.webp")


async def test_a_picture_that_fails_does_not_stop_the_others(
    start: Start, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "a.png").write_bytes(b"bad")
    (pictures / "b.png").write_bytes(b"refused")
    fake, out = await start(), pictures.parent / "out"
    assert await run(fake, [pictures, pictures / "gone.png"], out) == 1
    lines = said(capsys)
    assert lines["a.png"]["error"] == {"code": "odd", "detail": "no such engine"}
    assert "is not a picture" in lines["b.png"]["error"]["detail"]
    assert lines["gone.png"]["error"]["detail"] == "there is no such file"
    assert lines["c.png"]["status"] == "done"
    assert [path.name for path in out.iterdir()] == ["c.png"]


async def test_what_is_still_readable_is_told(start: Start, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pictures / "a.png").write_bytes(b"stubborn")
    assert await run(await start(), [pictures], pictures.parent / "out") == 0
    assert {name: line["residual_regions"] for name, line in said(capsys).items()} == {
        "a.png": ["r2"],
        "b.png": [],
        "c.png": [],
    }


def test_a_person_reads_how_many_are_left(tmp_path: Path) -> None:
    view = {"status": "succeeded", "job_id": "j", "result": {"regions": [{}, {}], "residual_regions": ["r2"]}}
    item = Item(tmp_path / "a.png", tmp_path / "b.png", "png")
    assert "2 regions (1 still readable), 1.5 s" in Outcome.of_view(item, view, 1.5).line()
    view["result"] = {"regions": [{}], "residual_regions": None}
    assert "1 regions, 1.5 s" in Outcome.of_view(item, view, 1.5).line()


def test_a_document_with_failed_pages_says_which_and_is_not_all_well(tmp_path: Path) -> None:
    pages = [{"regions_erased": 3}, {"regions_erased": None}, {"regions_erased": 1}]
    result = {"document": "pdf", "pages": pages, "failed_pages": [2], "residual_regions": ["page-1/r2"]}
    view = {"status": "succeeded", "job_id": "j", "result": result}
    outcome = Outcome.of_view(Item(tmp_path / "a.pdf", tmp_path / "b.pdf", "same"), view, 1.5)
    assert "4 regions (1 still readable), 1.5 s; pages 2 failed" in outcome.line()
    assert (outcome.body()["failed_pages"], outcome.well) == ([2], False)


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ([], {}),
        (["--verify"], {}),
        (["--no-verify"], {"verify": False}),
        (["--pages", "1-3"], {"pages": "1-3"}),
        (["--languages", "en, ja"], {"languages": ["en", "ja"]}),
        (["--match", "a|b", "--keep", "c", "--preset", "p"], {"match": "a|b", "keep": "c", "preset": "p"}),
    ],
)
def test_what_is_not_asked_for_is_left_to_the_backend(
    flags: list[str], options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Wishes] = []

    def note(files: Files, wishes: Wishes, *_: Any) -> bool:
        told.append(wishes)
        return True

    monkeypatch.setattr(app, "run_erase", note)
    assert CliRunner().invoke(app.app, ["erase", "a.png", "-o", "b.png", *flags]).exit_code == 0
    assert told[0].options == options


async def test_a_batch_that_was_broken_off_goes_on_where_it_was(
    start: Start, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake, out = await start(), pictures.parent / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"made before")
    assert await run(fake, [pictures], out) == 0
    assert said(capsys)["a.png"]["status"] == "skipped"
    assert len(fake.jobs) == 2
    assert (out / "a.png").read_bytes() == b"made before"
    assert await run(fake, [pictures], out, force=True) == 0
    assert (out / "a.png").read_bytes() == b"a erutcip"


async def test_nothing_to_do_asks_no_backend(start: Start, pictures: Path) -> None:
    out = pictures.parent / "out"
    out.mkdir()
    for name in "abc":
        (out / f"{name}.png").touch()
    assert await run(FakeBackend(), [pictures], out, backend="http://127.0.0.1:9") == 0


async def test_a_named_file_is_replaced(start: Start, pictures: Path) -> None:
    out = pictures.parent / "clean.png"
    out.write_bytes(b"made before")
    assert await run(await start(), [pictures / "a.png"], out) == 0
    assert out.read_bytes() == b"a erutcip"
    assert sorted(path.name for path in out.parent.iterdir()) == ["clean.png", "in"]


async def test_a_connection_that_drops_is_resumed_from_its_cursor(start: Start, pictures: Path) -> None:
    fake = await start(drop_after=2)
    assert await run(fake, [pictures / "a.png"], pictures.parent / "clean.png") == 0
    assert fake.cursors == [0, 2]


async def test_where_streams_do_not_get_through_the_state_is_asked_for(start: Start, pictures: Path) -> None:
    assert await run(await start(streams=False), [pictures / "a.png"], pictures.parent / "clean.png") == 0


async def test_a_backend_that_is_busy_is_asked_again_for_the_same_job(start: Start, pictures: Path) -> None:
    fake = await start(busy=1)
    assert await run(fake, [pictures / "a.png"], pictures.parent / "clean.png") == 0
    assert len(fake.keys) == 2
    assert len(set(fake.keys)) == 1


async def test_a_backend_that_does_not_answer_is_named(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = pictures.parent / "out"
    assert await run(FakeBackend(), [pictures], out, backend="http://127.0.0.1:9") == 1
    assert "nothing answers at http://127.0.0.1:9" in capsys.readouterr().err


async def test_what_makes_no_sense_is_a_usage_error(pictures: Path) -> None:
    assert await run(FakeBackend(), [pictures], pictures.parent / "clean.png") == 2


async def test_a_backend_on_the_usual_port_is_found(
    start: Start, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = await start()
    monkeypatch.setattr(endpoints, "PORTS", {"backend": int(fake.url.rpartition(":")[2])})
    assert await run(fake, [pictures], pictures.parent / "out", backend=None) == 0


async def test_ctrl_c_cancels_the_jobs(start: Start, pictures: Path) -> None:
    (pictures / "a.png").write_bytes(b"slow")
    fake, out = await start(), pictures.parent / "out"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "backend.cli", "erase", str(pictures), "-o", str(out), "--jobs", "1"),
        env={**os.environ, "CLEANPLATE_BACKEND_URL": fake.url},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(10):
        await fake.begun.wait()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
    assert fake.cancelled == ["job-0"]
    assert list(out.iterdir()) == []


async def left_behind(fake: FakeBackend, pictures: Path, ended: str = "") -> tuple[Path, str]:
    """Submit a picture as a batch does that is killed then; return where its result would go and the job's key."""
    target = pictures.parent / "out" / "a.png"
    ticket = Ticket.taken(target, fake.url, {"output_format": "png"}, (pictures / "a.png").read_bytes())
    fake.known[ticket.key], fake.ended = "job-0", ended
    return target, ticket.key


@pytest.mark.parametrize("ended", ["", "succeeded", "failed"])
async def test_a_job_that_a_batch_left_behind_is_taken_up_again(start: Start, pictures: Path, ended: str) -> None:
    fake = await start()
    target, key = await left_behind(fake, pictures, ended)
    assert await run(fake, [pictures / "a.png"], target.parent) == 0
    assert fake.keys == [key]
    assert fake.retried == (["job-0"] if ended == "failed" else [])
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]


async def test_a_job_that_was_cancelled_meanwhile_is_made_anew(start: Start, pictures: Path) -> None:
    fake = await start()
    target, key = await left_behind(fake, pictures, "cancelled")
    assert await run(fake, [pictures / "a.png"], target.parent) == 0
    assert fake.keys[0] == key
    assert fake.keys[1] not in (key, "")
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]


async def test_other_options_another_picture_and_what_was_finished_are_new_jobs(start: Start, pictures: Path) -> None:
    fake = await start()
    target, key = await left_behind(fake, pictures)
    assert await run(fake, [pictures / "a.png"], target.parent, options={"model": "lama"}) == 0
    assert await run(fake, [pictures / "a.png"], target.parent, force=True) == 0
    assert len({key, *fake.keys}) == 3


async def test_a_backend_that_went_away_leaves_a_job_to_be_found_again(
    start: Start, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake, out = await start(busy=100), pictures.parent / "out"
    assert await run(fake, [pictures / "a.png"], out) == 1
    assert [path.name for path in out.iterdir()] == [".a.png.job"]
    fake.busy = len(fake.keys)
    assert await run(fake, [pictures / "a.png"], out) == 0
    assert len(set(fake.keys)) == 1


async def test_a_document_stays_one(start: Start, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pictures / "d.pdf").write_bytes(b"%PDF")
    (pictures / "e.tif").write_bytes(b"II*")
    out = pictures.parent / "out"
    fake = await start(media_type="application/pdf")
    assert await run(fake, [pictures / "d.pdf"], out, format="jpeg") == 0
    assert [options["output_format"] for _, options in fake.jobs.values()] == ["jpeg"]
    assert await run(await start(media_type="image/tiff"), [pictures / "e.tif"], out) == 0
    assert {path.name for path in out.iterdir()} == {"d.pdf", "e.tif"}
    assert said(capsys)["e.tif"]["output"] == str(out / "e.tif")
    assert await run(FakeBackend(), [pictures / "d.pdf", pictures / "e.tif"], out, backend="http://127.0.0.1:9") == 0
    assert {line["status"] for line in said(capsys).values()} == {"skipped"}
