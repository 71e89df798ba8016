"""One erasing job at a backend, as its client sees it: submit, follow, fetch, cancel."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp

from backend.clients import FIRST_PAUSE_S, OnRetry, ServiceClient
from cleanplate.contract.problems import UpstreamFailed

CALL_TIMEOUT_S = 300.0
PATIENCE_S = 60.0
HEARTBEAT_S = 20.0
LONGEST_PAUSE_S = 2.0
WORDS = {"queued": "waiting", "started": "finding text", "task_chosen": "repainting", "requeued": "waiting"}
FINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Step:
    """How far the job is, 0 to 1, and what it does, in words; None or "" where that is as before."""

    progress: float | None
    message: str


async def _unheard(service: str, reason: str) -> None:
    """Nobody needs to know of a try that is made again."""


class ErasingJob(ServiceClient):
    """One job. It is submitted once, however often the connection breaks meanwhile."""

    def __init__(
        self,
        url: str,
        key: str,
        session: aiohttp.ClientSession,
        on_retry: OnRetry = _unheard,
        patience_s: float = PATIENCE_S,
    ):
        super().__init__("backend", url, key, session, patience_s, CALL_TIMEOUT_S)
        self.id = ""
        self._on_retry = on_retry
        self._patience_s = patience_s
        self._idempotency_key = uuid.uuid4().hex

    def headers(self) -> dict[str, str]:
        return super().headers() | {"Idempotency-Key": self._idempotency_key}

    async def submit(self, image: bytes, name: str, options: dict[str, Any]) -> None:
        """Hand over the picture; a backend that is busy is asked again. Raises Problem."""

        def form() -> aiohttp.FormData:
            body = aiohttp.FormData()
            body.add_field("file", BytesIO(image), filename=name, content_type="application/octet-stream")
            body.add_field("options", json.dumps(options))
            return body

        answer = await self.patiently(lambda: self.post("/api/v1/jobs", form), self._on_retry)
        self.id = json.loads(answer)["job_id"]

    async def follow(self) -> AsyncIterator[Step]:
        """Yield the job's steps until it has ended; while WebSockets do not get through, its state is asked for.

        Raises:
            Problem: the backend was away for too long, or does not know the job any more.
        """
        after, pause_s, away_since = 0, FIRST_PAUSE_S, time.monotonic()
        while True:
            try:
                async for event in self._events(after):
                    after, pause_s, away_since = event["seq"], FIRST_PAUSE_S, time.monotonic()
                    yield _step(event)
                    if event["type"] in FINAL:
                        return
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError):
                pass
            try:
                view = await self.view()
                away_since = time.monotonic()
            except UpstreamFailed as problem:
                if time.monotonic() - away_since > self._patience_s:
                    raise
                yield Step(None, f"reconnecting: {problem.detail}")
            else:
                yield Step(view["progress"], view["message"] or view["status"])
                if view["status"] in FINAL:
                    return
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def view(self) -> dict[str, Any]:
        """Return the job as the backend shows it. Raises Problem."""
        view: dict[str, Any] = json.loads(await self.get(f"/api/v1/jobs/{self.id}"))
        return view

    async def final_view(self) -> dict[str, Any]:
        """Return the job once it has ended. Raises Problem."""
        return await self.patiently(self.view, self._on_retry)

    async def picture(self) -> bytes:
        """Return the erased picture. Raises Problem."""
        return await self.patiently(lambda: self.get(f"/api/v1/jobs/{self.id}/result"), self._on_retry)

    async def cancel(self) -> None:
        """Cancel the job. Raises Problem."""
        await self.post(f"/api/v1/jobs/{self.id}/cancel")

    async def _events(self, after: int) -> AsyncIterator[dict[str, Any]]:
        url = f"ws{self.url.removeprefix('http')}/api/v1/ws/jobs/{self.id}?after={after}"
        timeout = aiohttp.ClientWSTimeout(ws_close=2.0)
        async with self.session.ws_connect(
            url, headers=self.headers(), heartbeat=HEARTBEAT_S, timeout=timeout
        ) as socket:
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    return
                event = json.loads(frame.data)
                if isinstance(event.get("seq"), int) and event["seq"] > after:
                    after = event["seq"]
                    yield event


def _step(event: dict[str, Any]) -> Step:
    data = event["data"]
    if event["type"] in ("retrying", "reconnecting"):
        return Step(None, f"waiting for the {data.get('service', 'service')}: {data.get('reason', '')}")
    return Step(data.get("progress"), data.get("message") or WORDS.get(event["type"], ""))
