"""A job's log for a thousand clients at once, and for those that read slowly; the older messages of the same log."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_sync

from backend.app import make_app
from backend.cli.launches import BACKEND
from backend.settings import BackendSettings
from cleanplate.runtime.jobs import Change
from cleanplate.runtime.store.sql import SqlStore
from tests.fakes.services import drawn
from tests.faults.services import Services
from tests.wires.serving import PATIENCE_S, Live

CLIENTS = 1000
CLIENT_LIMIT_BYTES = 400_000
NOWHERE = "http://127.0.0.1:9"
NOTES, NOTE_BYTES = 400, 50_000

Backend = Live[BackendSettings]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Backend]]:
    """Start a backend whose two services are away, with these settings."""
    started: list[Backend] = []

    def start(**settings: Any) -> Backend:
        made = BackendSettings(data=tmp_path, ocr_url=NOWHERE, inpaint_url=NOWHERE, **settings)
        started.append(Live(make_app(made), made))
        started[-1].start()
        return started[-1]

    yield start
    for live in started:
        live.stop()


@pytest.fixture
def backend(serve: Callable[..., Backend]) -> Backend:
    """A backend that waits for a client half a second."""
    return serve(client_timeout_s=0.5)


def submit(post: Callable[..., Any]) -> str:
    return str(post("/api/v1/jobs", files={"file": drawn("SALE")}).json()["job_id"])


@pytest.fixture
def long_job(backend: Backend) -> str:
    """A job that was cancelled, with a log of 20 MB."""
    job = submit(backend.post)
    store = SqlStore(backend.settings.store())
    for number in range(NOTES):
        store.record(job, Change("note", {"number": number, "text": os.urandom(NOTE_BYTES // 2).hex()}))
    store.close()
    backend.post(f"/api/v1/jobs/{job}/cancel")
    return job


async def heard(url: str) -> list[int]:
    """Return the seqs that a WebSocket tells."""
    async with connect(url, open_timeout=4 * PATIENCE_S, max_queue=4, proxy=None) as websocket:
        return [json.loads(message)["seq"] async for message in websocket]


async def streamed(session: aiohttp.ClientSession, url: str) -> list[int]:
    """Return the seqs that an event stream tells."""
    async with session.get(url) as response:
        return [int(line[4:]) async for line in response.content if line.startswith(b"id: ")]


async def test_a_thousand_clients_of_one_job_hear_every_event_and_hold_little(tmp_path: Path) -> None:
    with Services(tmp_path, (BACKEND,), BACKEND_OCR_URL=NOWHERE, BACKEND_INPAINT_URL=NOWHERE) as services:
        pid, http = await asyncio.to_thread(services.backend.restart), services.backend.http
        await asyncio.to_thread(services.backend.until_ready)
        job = submit(http.post)
        bytes_before, files_before = _resident_bytes(pid), _open_files(pid)
        base = str(http.base_url).rstrip("/")
        path, timeout = f"/api/v1/jobs/{job}/events", aiohttp.ClientTimeout(PATIENCE_S * 4)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
            listening = []
            for _ in range(CLIENTS // 2):
                listening.append(asyncio.create_task(heard(f"ws{base[4:]}/api/v1/ws/jobs/{job}")))
                listening.append(asyncio.create_task(streamed(session, base + path)))
            while _open_files(pid) < files_before + CLIENTS:  # noqa: ASYNC110 - that all are there nobody tells
                await asyncio.sleep(0.05)
            held = _resident_bytes(pid) - bytes_before
            assert (await asyncio.to_thread(http.get, "/livez")).status_code == 200
            assert (await asyncio.to_thread(http.post, f"/api/v1/jobs/{job}/cancel")).status_code == 200
            told = await asyncio.gather(*listening)
        last = (await asyncio.to_thread(http.get, f"/api/v1/jobs/{job}")).json()["seq"]
        assert last >= 3  # queued, started, …, cancelled
        assert told == [list(range(1, last + 1))] * CLIENTS
        assert held < CLIENTS * CLIENT_LIMIT_BYTES
        while _open_files(pid) > files_before + 20:  # noqa: ASYNC110 - nor that all are gone
            await asyncio.sleep(0.05)


def test_a_slow_reader_is_told_why_it_was_dropped_and_goes_on_where_it_was(backend: Backend, long_job: str) -> None:
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    host, port = backend.address.split(":")
    plug.connect((host, int(port)))
    url = f"ws://{backend.address}/api/v1/ws/jobs/{long_job}"
    with connect_sync(url, sock=plug, max_queue=1, ping_interval=None, close_timeout=1) as slow:
        backend.until(lambda: _feeds(backend) == 0)
        seqs = [json.loads(message)["seq"] for message in rest(slow)]
    assert _end(slow) == (1013, "you read too slowly; go on with after=")
    assert 0 < len(seqs) < NOTES
    seqs += asyncio.run(heard(f"{url}?after={seqs[-1]}"))
    assert seqs == list(range(1, seqs[-1] + 1))
    assert len(seqs) > NOTES


def test_fragments_without_an_end_are_hung_up(serve: Callable[..., Backend]) -> None:
    live = serve(body_timeout_s=0.5)

    def fragments() -> Iterator[str]:
        while _feeds(live):
            yield "a"

    with connect_sync(f"ws://{live.address}/api/v1/ws/progress") as endless:
        with suppress(ConnectionClosed):
            endless.send(fragments())
        rest(endless)
    assert _end(endless) == (1008, "the rest of your message did not come in time")


def test_the_older_messages_tell_the_same_job_with_its_session(backend: Backend) -> None:
    with backend.socket("/api/v1/ws/progress") as all_jobs:
        assert all_jobs.hear()["type"] == "connection_established"
        job = submit(backend.post)
        with backend.socket(f"/api/v1/ws/progress/{job}?after=0") as talk:
            assert talk.hear()["type"] == "connection_established"
            started = talk.hear()
            assert (started["type"], started["session_id"]) == ("task_started", job)
            talk.say(type="ping", timestamp="then")
            assert talk.hear_until("pong")[-1] == {"type": "pong", "timestamp": "then"}
            talk.say(type="get_task_status", task_id=job)
            status = talk.hear_until("progress_update")[-1]
            assert (status["task_id"], status["session_id"]) == (job, job)
            talk.say(type="dance")
            assert talk.hear_until("error")[-1]["error"]
            talk.say(type="cancel_task", task_id=job)
            end = talk.hear_until("task_cancelled")[-1]
            assert (end["task_id"], end["session_id"]) == (job, job)
        told = [message["type"] for message in all_jobs.hear_until("task_cancelled")]
        assert told == ["task_started", "task_cancelled"]


def rest(connection: ClientConnection) -> list[str | bytes]:
    """Return what comes until the other side closes."""
    found: list[str | bytes] = []
    with suppress(ConnectionClosed):
        while True:
            found.append(connection.recv(timeout=PATIENCE_S))
    return found


def _end(connection: ClientConnection) -> tuple[int | None, str | None]:
    return connection.close_code, connection.close_reason


def _feeds(live: Backend) -> int:
    """Return how many WebSockets it has."""
    lines = live.get("/metrics").text.splitlines()
    return int(float(next(line for line in lines if line.startswith("websocket_connections")).split()[-1]))


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
