"""What counts as the head of a request and what does not; that clients are hung up is tested on the wires."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from cleanplate.runtime.connections import HEAD_LIMIT_BYTES, protocols
from tests.unit.runtime.conftest import until

BODY = b"a" * (HEAD_LIMIT_BYTES + 1)
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Line(asyncio.Transport):
    """A connection that keeps what is written to it."""

    protocol: asyncio.Protocol

    def __init__(self) -> None:
        super().__init__({})
        self.written = b""
        self.closed = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without a look at the body."""
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def line() -> Line:
    made = Line()
    config = uvicorn.Config(refuse, log_config=None)
    told: dict[str, Any] = {"config": config, "server_state": ServerState(), "app_state": {}}
    made.protocol = protocols(30, 30)[0](**told)
    made.protocol.connection_made(made)
    return made


async def test_the_body_of_a_refused_request_is_no_part_of_the_next_head(line: Line) -> None:
    line.protocol.data_received(POST)
    await until(lambda: line.written.count(b"413") == 1)
    line.protocol.data_received(BODY)
    line.protocol.data_received(GET)
    await until(lambda: line.written.count(b"413") == 2)
    assert not line.closed
    line.protocol.connection_lost(None)


async def test_a_head_may_come_in_pieces_up_to_the_limit(line: Line) -> None:
    for byte in GET:
        line.protocol.data_received(bytes([byte]))
    await until(lambda: b"413" in line.written)
    for _ in range(2):
        line.protocol.data_received(b"GET / HTTP/1.1\r\nX-Long: " + b"a" * (HEAD_LIMIT_BYTES // 2))
    assert b"400" in line.written
    assert line.closed
    line.protocol.connection_lost(None)
