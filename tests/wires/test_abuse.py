"""Clients that are too many, too slow, too large or gone: each gets its due, and nobody else has to wait for it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.wires import pictures
from tests.wires.conftest import GatedInpainter, Inpaint, Serve
from tests.wires.pictures import order
from tests.wires.serving import PATIENCE_S

CLIENTS = 500
MB = 1_000_000
HUGE_BYTES = 200 * MB
PIECE = b"a" * 262_144
STARTS = {
    "application/json": b'{"image":"',
    "multipart/form-data; boundary=a": b'--a\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n',
}
BAD: list[dict[str, Any]] = [
    {"content": b"{", "headers": {"Content-Type": "application/json"}},
    {"content": b"\xff\x00" * 10_000, "headers": {"Content-Type": "multipart/form-data; boundary=a"}},
    {"json": order(image=pictures.text(b"GIF89a" + b"\0" * 500))},
    {"json": order(regions=[{"x": 10**5, "y": 0, "width": 1, "height": 1}])},
    {"json": order(sd_steps="many")},
    {"files": {"image": ("a", pictures.PNG[:60])}, "data": {"params": json.dumps({"regions": pictures.REGIONS})}},
    {"data": {"image": "a"}},
    {"json": [order()]},
]


@pytest.fixture(scope="module")
def hasty(serve: Serve) -> Inpaint:
    """A service that waits for a body half a second, and takes little."""
    return serve(body_timeout_s=0.5, max_file_size=1 * MB)


@contextmanager
def _memory_within(limit_bytes: int) -> Iterator[None]:
    """Fail when this process, the service in it, has taken more memory at its peak than it had before."""
    status = Path("/proc/self/status")

    def read(name: str) -> int:
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith(name))

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = read("VmRSS:")
    yield
    assert read("VmHWM:") - before < limit_bytes


def _plug(live: Inpaint, **options: int) -> socket.socket:
    plug = socket.socket()
    for name, value in options.items():
        plug.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    plug.settimeout(PATIENCE_S)
    host, _, port = live.address.rpartition(":")
    plug.connect((host, int(port)))
    return plug


def _head(live: Inpaint, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{path} HTTP/1.1", f"Host: {live.address}", *lines, "", ""]).encode()


def _read_all(plug: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    heard = bytearray()
    with suppress(ConnectionResetError):
        while piece := plug.recv(65_536):
            heard += piece
    return bytes(heard)


def _sockets(live: Inpaint) -> float:
    lines = live.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("websocket_connections"))


def _pieces(start: bytes) -> Iterator[bytes]:
    yield start
    for _ in range(HUGE_BYTES // len(PIECE)):
        yield PIECE


async def test_500_clients_watch_one_task_and_each_sees_all_of_it(serve: Serve, gated: GatedInpainter) -> None:
    live = serve(gated, model="lama")
    wide = pictures.text(pictures.encoded(pictures.noise(2100, 1100)))
    regions = [{"x": x, "y": 30, "width": 30, "height": 10} for x in (20, 1020, 2020)]
    answer = await asyncio.to_thread(
        live.post, "/api/v1/inpaint-regions-async", order(image=wide, regions=regions, progress_interval=0)
    )
    task = answer.json()["task_id"]
    await asyncio.to_thread(gated.begun)
    everybody = asyncio.Barrier(CLIENTS + 1)

    async def watch() -> list[dict[str, Any]]:
        address = f"ws://{live.address}/api/v1/ws/progress/{task}?after=0"
        async with connect(address, proxy=None, compression=None, open_timeout=PATIENCE_S) as connection:
            heard = [json.loads(await connection.recv())]
            await everybody.wait()
            while heard[-1]["type"] != "task_completed":
                heard.append(json.loads(await connection.recv()))
            return heard

    async with asyncio.timeout(2 * PATIENCE_S), asyncio.TaskGroup() as group:
        watching = [group.create_task(watch()) for _ in range(CLIENTS)]
        await everybody.wait()
        assert (await asyncio.to_thread(live.get, "/livez")).status_code == 200
        gated.let(100)
    logs = [[message["seq"] for message in one.result() if "seq" in message] for one in watching]
    assert all(log == logs[0] == sorted(set(log)) for log in logs)
    assert len(logs[0]) > len(regions)
    await asyncio.to_thread(live.until, lambda: _sockets(live) == 0)


def test_a_client_that_asks_and_never_reads_is_not_read_from_either(inpaint: Inpaint) -> None:
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", key, "Sec-WebSocket-Version: 13")
    text = json.dumps({"type": "ping", "timestamp": "a" * 60_000}).encode()
    frame = b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text  # masked with zeros
    with _plug(inpaint, SO_RCVBUF=4096, SO_SNDBUF=65_536) as plug, _memory_within(60 * MB):
        plug.sendall(_head(inpaint, "GET /api/v1/ws/progress", *upgrade))
        assert plug.recv(12) == b"HTTP/1.1 101"
        plug.settimeout(1)
        sent = 0
        with suppress(TimeoutError):  # it is made to wait
            while sent < HUGE_BYTES:
                sent += plug.send(frame[sent % len(frame) :])
        assert sent < HUGE_BYTES / 4
        assert _sockets(inpaint) == 1
        task = inpaint.post("/api/v1/inpaint-regions-async", order()).json()["task_id"]
        with inpaint.socket(f"/api/v1/ws/progress/{task}?after=0") as talk:
            assert talk.hear_until("task_completed")
        assert inpaint.post("/api/v1/inpaint-regions", order()).status_code == 200
    inpaint.until(lambda: _sockets(inpaint) == 0)


def test_a_picture_that_is_never_read_holds_up_nobody(inpaint: Inpaint) -> None:
    noise = pictures.noise(1500, 1000)
    body = json.dumps({"image": pictures.text(pictures.encoded(noise)), "regions": pictures.REGIONS}).encode()
    head = _head(
        inpaint, "POST /api/v1/inpaint-regions", "Content-Type: application/json", f"Content-Length: {len(body)}"
    )
    with ExitStack() as stack:
        for _ in range(6):  # more than there are workers
            plug = stack.enter_context(_plug(inpaint, SO_RCVBUF=4096))
            plug.sendall(head + body)
            assert plug.recv(12) == b"HTTP/1.1 200"
        assert inpaint.post("/api/v1/inpaint-regions", order()).status_code == 200


@pytest.mark.parametrize(("kind", "start"), STARTS.items(), ids=["json", "form"])
def test_a_body_that_trickles_in_is_given_up_while_others_are_served(hasty: Inpaint, kind: str, start: bytes) -> None:
    given_up = threading.Event()

    def trickle() -> bytes:
        head = _head(hasty, "POST /api/v1/inpaint-regions", f"Content-Type: {kind}", "Content-Length: 100000")
        with _plug(hasty) as plug:
            plug.sendall(head + start)
            reading = threading.Thread(target=lambda: heard.append(_read_all(plug)))
            heard: list[bytes] = []
            reading.start()
            with suppress(OSError):
                while not given_up.wait(0.01):
                    plug.sendall(b"-")
            reading.join(PATIENCE_S)
            return heard[0]

    with ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(trickle) for _ in range(8)]
        served = 0
        while not all(one.done() for one in slow):
            assert hasty.post("/api/v1/inpaint-regions", order()).status_code == 200
            served += 1
        given_up.set()
    assert served > 3
    for one in slow:
        head, _, body = one.result().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in head.lower()
        assert json.loads(body)["code"] == "slow_body"


@pytest.mark.parametrize(("kind", "start"), STARTS.items(), ids=["json", "form"])
@pytest.mark.parametrize("told", [True, False], ids=["with its length", "without"])
def test_200_megabytes_are_refused_within_bounded_memory_and_the_client_is_told(
    hasty: Inpaint, kind: str, start: bytes, told: bool
) -> None:
    length = len(start) + HUGE_BYTES // len(PIECE) * len(PIECE)
    headers = {"Content-Type": kind, **({"Content-Length": str(length)} if told else {})}
    with _memory_within(60 * MB), httpx.Client(base_url=hasty.url, timeout=PATIENCE_S, trust_env=False) as client:
        answer = client.post("/api/v1/inpaint-regions", content=_pieces(start), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert answer.json()["limit"] == hasty.settings.body_limit() < HUGE_BYTES / 20
        assert client.get("/livez").status_code == 200


def test_clients_that_hang_up_half_way_leave_nothing_behind(inpaint: Inpaint) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    body = json.dumps(order()).encode()
    whole = _head(
        inpaint, "POST /api/v1/inpaint-regions", "Content-Type: application/json", f"Content-Length: {len(body)}"
    )
    inpaint.get("/livez")
    before = open_files()
    starts = [b"", b"POST /api/v1", whole, whole + body[:50], whole + body, b"\x16\x03\x01\x02\x00", b"\r\n" * 50]
    for start in starts * 8:
        with _plug(inpaint) as plug:
            plug.sendall(start)
            plug.shutdown(socket.SHUT_WR)
            assert _read_all(plug)[:9] in (b"", b"HTTP/1.1 ")
    assert inpaint.post("/api/v1/inpaint-regions", order()).status_code == 200
    inpaint.until(lambda: open_files() <= before + 3)
    inpaint.until(lambda: inpaint.get("/api/v1/health").json()["waiting_requests"] == 0)


def test_64_bad_requests_at_once_are_each_refused(inpaint: Inpaint) -> None:
    with (
        httpx.Client(base_url=inpaint.url, timeout=PATIENCE_S, trust_env=False) as client,
        ThreadPoolExecutor(64) as pool,
    ):
        asked = [pool.submit(client.post, "/api/v1/inpaint-regions", **bad) for bad in BAD * 8]
        answers = [one.result() for one in asked]
    assert {answer.status_code for answer in answers} <= {400, 413, 415, 422}
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
    assert inpaint.post("/api/v1/inpaint-regions", order()).status_code == 200


def test_a_probe_is_answered_while_large_pictures_are_worked_on(inpaint: Inpaint) -> None:
    image = pictures.text(pictures.encoded(pictures.plate(2400, 1600), "JPEG"))
    regions = [{"x": 100 * x, "y": 100 * y, "width": 80, "height": 30} for x in range(8) for y in range(6)]
    body = json.dumps({"image": image, "regions": regions}).encode()
    ask: Callable[[], httpx.Response] = lambda: inpaint.post(  # noqa: E731
        "/api/v1/inpaint-regions", content=body, headers={"Content-Type": "application/json"}
    )
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        answered = 0
        with httpx.Client(base_url=inpaint.url, timeout=PATIENCE_S, trust_env=False) as client:
            while not all(one.done() for one in asked):
                assert client.get("/livez").status_code == 200
                answered += 1
        assert [one.result().status_code for one in asked] == [200] * 8
    assert answered > 10
