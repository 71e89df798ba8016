"""Clients that hold a connection without using it are hung up, whatever they hold it with; the patient are not."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack, suppress

import pytest

from cleanplate.runtime.connections import HEAD_LIMIT_BYTES
from tests.wires import pictures
from tests.wires.conftest import GatedInpainter, Inpaint, Serve
from tests.wires.pictures import order
from tests.wires.serving import PATIENCE_S
from tests.wires.test_abuse import _head, _plug, _read_all, _sockets

TIMEOUT_S = 0.5
MANY = 200
STARTS = {
    "nothing": b"",
    "half a request line": b"POST /api/v1/inp",
    "half a head": b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "empty lines": b"\r\n\r\n",
    "half a second head": b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /li",
    "empty lines after an answer": b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
    "a body that nobody asked for": b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
}


@pytest.fixture(scope="module")
def brisk(serve: Serve) -> Inpaint:
    """A service that waits for a client half a second."""
    return serve(client_timeout_s=TIMEOUT_S)


@pytest.mark.parametrize("case", STARTS)
def test_a_head_that_does_not_come_ends_the_connection_however_it_trickles(brisk: Inpaint, case: str) -> None:
    ended = threading.Event()

    def read() -> None:
        _read_all(plug)
        ended.set()

    with _plug(brisk) as plug:
        plug.sendall(STARTS[case])
        reading = threading.Thread(target=read)
        reading.start()
        with suppress(OSError):
            while not ended.wait(TIMEOUT_S / 10):
                plug.sendall(b"\r\n" if "empty" in case else b"a")
        reading.join()


def test_many_half_heads_hold_nothing_for_long_while_others_are_served(brisk: Inpaint) -> None:
    with ExitStack() as stack:
        plugs = [stack.enter_context(_plug(brisk)) for _ in range(MANY)]
        for plug in plugs:
            plug.sendall(b"POST /api/v1/inp")
        assert brisk.post("/api/v1/inpaint-regions", order()).status_code == 200
        assert [_read_all(plug) for plug in plugs] == [b""] * MANY


@pytest.mark.parametrize("line", [b"GET /" + b"a" * 1000, b"GET / HTTP/1.1\r\n" + b"X-Long: aaaaaaaaaaaaaaaa\r\n" * 40])
def test_a_head_without_an_end_is_refused(serve: Serve, line: bytes) -> None:
    live = serve(client_timeout_s=20 * PATIENCE_S)
    with _plug(live) as plug:
        with suppress(OSError):
            plug.sendall(line)
            for _ in range(20 * HEAD_LIMIT_BYTES // 1000):
                plug.sendall(b"a" * 1000 if b"\n" not in line else b"X-Long: aaaaaaa\r\n" * 60)
        heard = _read_all(plug)
    assert heard[:12] in (b"HTTP/1.1 400", b"")  # what was not read yet may reset the connection first


def test_a_large_body_in_one_piece_with_its_head_is_taken(brisk: Inpaint) -> None:
    body = json.dumps({**order(), "text": "a" * 4 * HEAD_LIMIT_BYTES}).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close")
    with _plug(brisk) as plug:
        plug.sendall(_head(brisk, "POST /api/v1/inpaint-regions", *lines) + body)
        assert _read_all(plug).startswith(b"HTTP/1.1 200")


def test_who_waits_for_a_long_answer_is_left_in_peace(serve: Serve, gated: GatedInpainter) -> None:
    live = serve(gated, model="lama", client_timeout_s=0.2)
    body = json.dumps(order(image=pictures.text(pictures.encoded(pictures.noise())))).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close")
    with live.socket("/api/v1/ws/progress") as talk, _plug(live) as plug:
        plug.sendall(_head(live, "POST /api/v1/inpaint-regions", *lines) + body)
        gated.begun()
        plug.settimeout(0.6)
        with pytest.raises(TimeoutError):
            plug.recv(1)
        gated.let(10)
        plug.settimeout(PATIENCE_S)
        assert _read_all(plug).startswith(b"HTTP/1.1 200")
        talk.say(type="ping")
        assert talk.hear_until("pong")


def test_a_socket_that_is_never_read_is_hung_up(brisk: Inpaint) -> None:
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", key, "Sec-WebSocket-Version: 13")
    text = json.dumps({"type": "ping", "timestamp": "a" * 60_000}).encode()
    frame = b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text  # masked with zeros
    with _plug(brisk, SO_RCVBUF=4096, SO_SNDBUF=65_536) as plug:
        plug.sendall(_head(brisk, "GET /api/v1/ws/progress", *upgrade))
        assert plug.recv(12) == b"HTTP/1.1 101"
        with pytest.raises(ConnectionError):
            plug.sendall(frame * 3000)
        brisk.until(lambda: _sockets(brisk) == 0)


def test_a_picture_that_is_never_read_is_let_go(brisk: Inpaint) -> None:
    noise = pictures.text(pictures.encoded(pictures.noise(2500, 1500)))
    body = json.dumps({"image": noise, "regions": pictures.REGIONS}).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    with _plug(brisk, SO_RCVBUF=4096) as plug:
        plug.sendall(_head(brisk, "POST /api/v1/inpaint-regions", *lines) + body)
        assert plug.recv(12) == b"HTTP/1.1 200"
        brisk.until(lambda: _is_reset(plug))


def test_a_picture_that_is_read_slowly_comes_whole(brisk: Inpaint) -> None:
    noise = pictures.text(pictures.encoded(pictures.noise(1200, 800)))
    body = json.dumps({"image": noise, "regions": pictures.REGIONS}).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close")
    pause = threading.Event()
    heard = bytearray()
    with _plug(brisk, SO_RCVBUF=262_144) as plug:
        plug.sendall(_head(brisk, "POST /api/v1/inpaint-regions", *lines) + body)
        while piece := plug.recv(262_144):
            heard += piece
            pause.wait(TIMEOUT_S / 4)
    head, _, picture = bytes(heard).partition(b"\r\n\r\n")
    assert f"content-length: {len(picture)}".encode() in head.lower()


def _is_reset(plug: socket.socket) -> bool:
    return plug.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
