"""An OpenAI-compatible server that does as it is told: a real one, on a port of its own, in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray
from PIL import Image

PATIENCE_S = 30.0
KEY = "sk-do-not-tell-this-key-to-anybody"

Reply = Callable[["Vision", web.Request], Awaitable[web.StreamResponse]]


def says(text: str, *, finish: str = "stop", pieces: int = 3) -> Reply:
    """Answer with this text, in so many pieces if the client wants it streamed."""

    async def reply(vision: Vision, request: web.Request) -> web.StreamResponse:
        if not vision.asked[-1]["stream"]:
            message = {"role": "assistant", "content": text}
            return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": finish}]})
        response = await events(request)
        step = -(-len(text) // pieces) or 1
        for start in range(0, len(text), step):
            await send(response, {"choices": [{"index": 0, "delta": {"content": text[start : start + step]}}]})
        await send(response, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        await send(response, {"choices": [], "usage": {"total_tokens": 7}})
        await response.write(b"data: [DONE]\n\n")
        return response

    return reply


def answers(status: int, body: Any = None, **headers: str) -> Reply:
    """Answer with this status, and JSON or text."""

    async def reply(vision: Vision, request: web.Request) -> web.StreamResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html", headers=sent)
        return web.json_response(body or {"error": {"message": f"no: {KEY}"}}, status=status, headers=sent)

    return reply


def raw(data: bytes, content_type: str = "text/event-stream") -> Reply:
    """Answer with these bytes."""

    async def reply(vision: Vision, request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, content_type=content_type)

    return reply


async def breaks_off(vision: Vision, request: web.Request) -> web.StreamResponse:
    """Begin an answer, then end it as if it were whole."""
    response = await events(request)
    await send(response, {"choices": [{"index": 0, "delta": {"content": "# Half a"}}]})
    return response


async def hangs_up(vision: Vision, request: web.Request) -> web.StreamResponse:
    """Begin an answer, then drop the connection."""
    response = await events(request)
    await send(response, {"choices": [{"index": 0, "delta": {"content": "# Half a"}}]})
    assert request.transport is not None
    request.transport.abort()
    return response


async def falls_silent(vision: Vision, request: web.Request) -> web.StreamResponse:
    """Begin an answer, and say nothing more until the server ends."""
    response = await events(request)
    await send(response, {"choices": [{"index": 0, "delta": {"content": "# Half a"}}]})
    await vision.waits()
    return response


async def pours(vision: Vision, request: web.Request) -> web.StreamResponse:
    """Answer without an end."""
    response = await events(request)
    while True:
        await response.write(b": " + b"x" * 500_000 + b"\n")


async def events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    return response


async def send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")


@dataclass
class Vision:
    """The server. Each request takes the first of `replies`, the last of them again and again.

    `gate`, if any, lets requests through; `most` is how many were there at once.
    """

    replies: list[Reply] = field(default_factory=lambda: [says("# Page\n")])
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    gate: threading.Semaphore | None = None
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    inside: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def start(self) -> None:
        """Return when it listens."""
        self._thread.start()
        assert self._up.wait(PATIENCE_S)

    def stop(self) -> None:
        """Return when it has ended."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self._loop.close()

    def does(self, *replies: Reply) -> None:
        """Do this from now on, one after the other, and forget what was asked."""
        self.replies, self.asked, self.keys, self.inside, self.most = list(replies), [], [], 0, 0
        self.arrived = threading.Semaphore(0)

    def begun(self) -> None:
        """Return when the next request has come."""
        assert self.arrived.acquire(timeout=PATIENCE_S)

    def pictures(self) -> list[NDArray[np.uint8]]:
        """Return the pictures that were sent."""
        return [_picture(body) for body in self.asked]

    def prompts(self) -> list[str]:
        """Return what was asked about them."""
        return [body["messages"][0]["content"][1]["text"] for body in self.asked]

    async def waits(self) -> None:
        """Return when the server ends, or the client is gone."""
        await self._ended.wait()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=2**28)
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_route("*", "/elsewhere", self._answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        self._up.set()
        await self._ended.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.arrived.release()
        try:
            if self.gate is not None:
                assert await asyncio.to_thread(self.gate.acquire, timeout=PATIENCE_S)
            return await reply(self, request)
        finally:
            self.inside -= 1


def _picture(body: dict[str, Any]) -> NDArray[np.uint8]:
    head, _, data = body["messages"][0]["content"][0]["image_url"]["url"].partition(",")
    assert head.startswith("data:image/")
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB"))
