"""Connections that a client holds without using them; uvicorn would wait for such a client for ever.

A request's head has to come within `client_timeout_s` and may have `HEAD_LIMIT_BYTES`, a WebSocket's message within
`body_timeout_s`. A client that takes nothing of what waits for it for `client_timeout_s` is hung up, be it a picture,
an event stream or a WebSocket; the last is told why, should it read on within that time once more.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from asyncio import BaseTransport, Protocol, TimerHandle, Transport
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

log = logging.getLogger(__name__)

HEAD_LIMIT_BYTES = 65_536
SLOW_READER = "you read too slowly; go on with after="
SLOW_MESSAGE = "the rest of your message did not come in time"
AT_ONCE = struct.pack("ii", 1, 0)  # linger for 0 s: the kernel, too, drops what is not read


def protocols(client_timeout_s: float, body_timeout_s: float) -> tuple[type[Protocol], type[Protocol]]:
    """Return what uvicorn shall speak HTTP and WebSocket with."""
    told = {"client_timeout_s": client_timeout_s, "body_timeout_s": body_timeout_s}
    return type("Http", (_Http,), told), type("WebSocket", (_WebSocket,), told)


class _Read(Protocol):
    """Hangs up when what was sent is not read."""

    client_timeout_s: ClassVar[float]
    transport: Transport
    _unread: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=0)  # so that a single byte that waits is told of

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_later()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._look_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._unread = asyncio.get_running_loop().call_later(self.client_timeout_s, self._look, left)

    def _look(self, left: int) -> None:
        if self.transport.get_write_buffer_size() < left or self._warned():
            self._look_later()
            return
        log.info("hung up a client that reads nothing")
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.transport.abort()  # closing would wait for it to be read

    def _warned(self) -> bool:
        """Leave it a word for when it reads on, and say whether that was still to be done."""
        return False

    def _look_no_more(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class _WebSocket(_Read, WebSocketsSansIOProtocol):
    """Hangs up, too, when the rest of a message does not come."""

    body_timeout_s: ClassVar[float]
    _incomplete: TimerHandle | None = None

    def handle_events(self) -> None:
        super().handle_events()
        if self.frames and self._incomplete is None:
            self._incomplete = asyncio.get_running_loop().call_later(self.body_timeout_s, self._end, 1008, SLOW_MESSAGE)
        elif not self.frames:
            self._complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._complete()
        super().connection_lost(exc)

    def _complete(self) -> None:
        if self._incomplete is not None:
            self._incomplete.cancel()
            self._incomplete = None

    def _warned(self) -> bool:
        if self.close_sent:
            return False
        self._end(1013, SLOW_READER)
        return True

    def _end(self, code: int, reason: str) -> None:
        """Close as the application would, which may itself wait for what was sent to be read."""
        if self.close_sent or self.transport.is_closing():
            return
        log.info("a WebSocket is closed: %s", reason)
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_sent = self.disconnected = True
        self.writable.set()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)


class _Http(_Read, HttpToolsProtocol):
    """Hangs up, too, when the head of a request does not come."""

    _late: TimerHandle | None = None
    _head_bytes = 0
    _in_body = False

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        was_in_body = self._in_body
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # refused, or a WebSocket by now
        if self.cycle is not None and not self.cycle.response_complete:
            return  # a request is being answered, whose body has a time limit of its own
        if self._late is None:
            self._await_head()
        if not (self._in_body or was_in_body):
            self._head_bytes += len(data)
        if self._head_bytes > HEAD_LIMIT_BYTES:
            self.send_400_response("The request's head is too long.")

    def on_headers_complete(self) -> None:
        self._head_came()
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._late = asyncio.get_running_loop().call_later(self.client_timeout_s, self.transport.close)

    def _head_came(self) -> None:
        self._head_bytes = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
