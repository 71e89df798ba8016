"""The Python clients and what docs/clients.md shows, against the real backend; its two services are small classes."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright._impl._driver import compute_driver_executable

from cleanplate import AsyncClient, Client
from cleanplate.client import JobFailed, Refused, Unreachable, retries
from tests.conftest import ROOT
from tests.fakes.services import drawn, pixels
from tests.wires.erasing import Erasing
from tests.wires.serving import PATIENCE_S

PAGE = (ROOT / "docs" / "clients.md").read_text()
SNIPPETS = re.findall(r"```(python|js|sh)\n(.*?)```", PAGE, re.DOTALL)
RUN = [(kind, text) for kind, text in SNIPPETS if "127.0.0.1:8000" in text]
Serve = Callable[..., Erasing]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a backend with these settings."""
    started: list[Erasing] = []

    def start(**settings: Any) -> Erasing:
        started.append(Erasing(tmp_path / "data", monkeypatch, **settings))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    path.write_bytes(drawn("SALE", "TODAY"))
    return path


def test_three_lines_erase_a_picture(serve: Serve, picture: Path, tmp_path: Path) -> None:
    with Client(serve().url) as client:
        saved = client.erase(picture).save(tmp_path / "out.png")
    assert (pixels(saved.read_bytes()) == 255).all()


def test_a_job_shows_and_gives_all_it_has(serve: Serve, picture: Path) -> None:
    with Client(serve().url) as client, picture.open("rb") as file:
        job = client.submit(file, output_format="webp")
        told = list(job.events())
        assert [event.seq for event in told] == list(range(1, len(told) + 1))
        assert (told[0].type, told[-1].type) == ("queued", "succeeded")
        shares = [event.progress for event in told if event.progress is not None]
        assert shares == sorted(shares)
        assert [event.seq for event in job.events(after=told[-2].seq)] == [told[-1].seq]
        assert job.result().media_type == "image/webp"
        assert (pixels(job.mask()) == 255).any()
        assert {region["text"] for region in job.regions()} == {"SALE", "TODAY"}
        assert job.view["name"] == "in.png"
        job.delete()
        job.delete()
        with pytest.raises(Refused):
            client.job(job.id)


def test_a_document_comes_back_as_one_and_its_pages_one_by_one(serve: Serve) -> None:
    first, second = (Image.open(BytesIO(drawn(name))) for name in ("SALE", "TODAY"))
    first.save(file := BytesIO(), "TIFF", save_all=True, append_images=[second])
    with Client(serve().url) as client:
        job = client.submit(file.getvalue(), name="two.tif", output_format="same")
        made = job.result()
        assert (made.media_type, job.view["pages"]) == ("image/tiff", 2)
        with Image.open(BytesIO(made.data)) as document:
            assert document.n_frames == 2  # type: ignore[attr-defined]
        assert [region["text"] for region in job.regions(page=2)] == ["TODAY"]
        assert (pixels(job.result(page=1).data) == 255).all()
        assert (pixels(job.mask(page=2)) == 255).any()


async def test_the_asynchronous_client_follows_many_jobs_at_once(serve: Serve) -> None:
    async with AsyncClient(serve().url) as client:

        async def erased(name: str) -> tuple[str, list[str]]:
            job = await client.submit(drawn(name), name=f"{name}.png")
            types = [event.type async for event in job.events()]
            assert (pixels((await job.result()).data) == 255).all()
            return types[-1], [region["text"] for region in await job.regions()]

        async with asyncio.timeout(PATIENCE_S):
            done = await asyncio.gather(*map(erased, ("SALE", "TODAY", "ONLY")))
        assert done == [("succeeded", ["SALE"]), ("succeeded", ["TODAY"]), ("succeeded", ["ONLY"])]
        assert sorted([job.view["name"] async for job in client.jobs("succeeded")]) == [
            "ONLY.png",
            "SALE.png",
            "TODAY.png",
        ]


def test_no_event_is_lost_or_told_twice_when_the_backend_restarts_meanwhile(
    serve: Serve, picture: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.01)
    backend = serve()
    backend.ocr.gate.clear()
    failures: list[str] = []
    with Client(backend.url, retries=1000, on_retry=lambda error: failures.append(str(error))) as client:
        job = client.submit(picture)
        events = job.events()
        heard = [next(events)]
        backend.begun()

        def restart() -> None:
            backend.stop()
            backend.ocr.gate.set()
            backend.start()

        restarting = threading.Thread(target=restart)
        restarting.start()
        heard += events
        restarting.join()
        assert [event.seq for event in heard] == list(range(1, len(heard) + 1))
        assert "requeued" in [event.type for event in heard]
        assert heard[-1].type == "succeeded"
        assert failures
        assert (pixels(job.result().data) == 255).all()
    caplog.clear()  # uvicorn calls it an error that it hung up who was listening


def test_a_backend_that_is_full_says_when_to_come_again(serve: Serve, picture: Path) -> None:
    backend = serve(queue_limit=1)
    backend.ocr.gate.clear()
    told: list[Any] = []

    def let_go(error: Any) -> None:
        told.append(error)
        backend.ocr.gate.set()

    with Client(backend.url, on_retry=let_go) as client:
        first = client.submit(picture)
        backend.begun()
        jobs = [client.submit(drawn(name)) for name in ("SALE", "ONLY")]
        assert [job.wait()["status"] for job in (first, *jobs)] == ["succeeded"] * 3
        assert len(list(client.jobs())) == 3
    assert (told[0].status, told[0].code) == (429, "queue_full")
    assert told[0].retry_after_s > 0


def test_a_wrong_key_an_unknown_option_and_what_is_no_picture_are_told_with_their_reason(serve: Serve) -> None:
    backend = serve(api_keys="right")
    with Client(backend.url, "wrong") as client, pytest.raises(Refused) as caught:
        client.erase(drawn("SALE"))
    assert (caught.value.status, caught.value.code) == (401, "unauthorized")
    with Client(backend.url, "right") as client:
        with pytest.raises(Refused, match="colour") as caught:
            client.submit(drawn("SALE"), colour="blue")
        assert caught.value.status == 422
        with pytest.raises(Refused) as caught:
            client.submit(b"no picture")
        assert caught.value.status == 400


def test_nobody_there_is_told_after_the_tries_that_are_allowed(serve: Serve) -> None:
    backend = serve()
    backend.stop()
    with Client(backend.url, retries=0) as client, pytest.raises(Unreachable, match=backend.url):
        client.job("j1")


def test_a_job_is_cancelled_and_one_that_failed_goes_on(serve: Serve, picture: Path) -> None:
    backend = serve()
    backend.ocr.gate.clear()
    with Client(backend.url) as client:
        job = client.submit(picture)
        backend.begun()
        assert job.cancel()["status"] == job.cancel()["status"] == "cancelled"
        with pytest.raises(JobFailed, match="the job was cancelled"):
            job.result()
        with pytest.raises(Refused):
            job.retry()


@pytest.mark.parametrize(("kind", "text"), RUN, ids=[f"{kind}-{number}" for number, (kind, _) in enumerate(RUN)])
def test_what_the_page_about_clients_shows_does_what_it_says(serve: Serve, picture: Path, kind: str, text: str) -> None:
    text = text.replace("http://127.0.0.1:8000", serve().url)
    done = subprocess.run(command(kind, text, picture.parent), cwd=picture.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = next(picture.parent.glob("out.*"))
    assert (pixels(made.read_bytes()) == 255).all()
    if "print(event" in text or "console.log" in text:
        lines = [line.split() for line in done.stdout.splitlines() if line.split()[0].isdigit()]
        assert [int(line[0]) for line in lines][:4] == [1, 2, 3, 4]
        assert (lines[0][1], "succeeded" in [line[1] for line in lines]) == ("queued", True)
    if "colour" in text:
        assert "colour" in done.stdout.splitlines()[-1]
    if "no-buffer" in text:
        told = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("data:")]
        assert told[-1]["type"] == "succeeded"


def command(kind: str, text: str, folder: Path) -> list[str]:
    """Return what runs a snippet."""
    if kind == "sh":
        return ["sh", "-euc", text]
    name = folder / ("snippet.py" if kind == "python" else "snippet.mjs")
    name.write_text(text)
    node = shutil.which("node") or compute_driver_executable()[0]
    return [sys.executable, str(name)] if kind == "python" else [node, str(name)]


def test_the_page_about_clients_shows_them_all() -> None:
    assert [kind for kind, _ in RUN] == ["python", "python", "python", "js", "sh", "sh", "python"]
