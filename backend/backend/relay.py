"""Following an inpaint task's progress over its WebSocket, resuming from the cursor whenever the connection drops.

While there is no connection the task's status is asked for, which tells its progress and its end as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import aiohttp

from backend.clients import FIRST_PAUSE_S, InpaintClient
from cleanplate.contract.problems import Expired, NotFound, Problem, UpstreamFailed

log = logging.getLogger(__name__)

HEARTBEAT_S = 20.0
CONNECT_S = 10.0
LONGEST_PAUSE_S = 2.0
ENDS = frozenset({"task_completed", "task_failed", "task_cancelled"})
_NEEDED = frozenset({"overall_progress", "message", "current_region", "total_regions"})
_END_BY_STATUS = {"completed": "task_completed", "error": "task_failed", "cancelled": "task_cancelled"}


async def follow(client: InpaintClient, task_id: str, after: int, patience_s: float) -> AsyncGenerator[dict[str, Any]]:
    """Yield the task's messages with a `seq` over `after`, each once, and end after the one that ends the task.

    When the connection goes away one message of type `reconnecting` is yielded, and until it is back the task's status
    is polled, so that its progress and its end are seen even where WebSockets do not get through.

    Raises:
        UpstreamFailed: the service gave no sign of life for longer than `patience_s`.
        NotFound, Expired: it does not know the task any more.
    """
    pause_s, alive_at, told, share = FIRST_PAUSE_S, time.monotonic(), False, None
    while True:
        reason, greeted = "the connection was closed", False
        try:
            async with aclosing(_connected(client, task_id, after)) as messages:
                async for message in messages:
                    greeted = True
                    if message.get("type") == "error":  # it goes on without this task
                        reason = str(message.get("message", "an error"))
                        break
                    if _is_new(message, after):
                        pause_s, told, after = FIRST_PAUSE_S, False, message["seq"]
                        share = message.get("overall_progress", share)
                        yield message
                        if message["type"] in ENDS:
                            return
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason = f"{type(error).__name__} {error}".strip()
        polled = await _polled(client, task_id, after)
        if polled is not None and polled["type"] in ENDS:
            yield polled
            return
        if greeted or polled is not None:
            alive_at = time.monotonic()
        elif time.monotonic() - alive_at > patience_s:
            raise UpstreamFailed(f"inpaint-service: {reason}")
        if not told:
            yield {"type": "reconnecting", "message": reason}
            told = True
        if polled is not None:
            if share is not None and polled["overall_progress"] > share:
                after = polled["seq"]
                yield polled
            share = polled["overall_progress"]
        await client.hints.pause(task_id, pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


def _is_new(message: dict[str, Any], after: int) -> bool:
    """Say whether the message tells something of the task that was not told yet."""
    seq, is_update = message.get("seq"), message.get("type") == "progress_update"
    return isinstance(seq, int) and seq > after and (not is_update or message.keys() >= _NEEDED)


async def _connected(client: InpaintClient, task_id: str, after: int) -> AsyncGenerator[dict[str, Any]]:
    """Yield what the task's WebSocket says until it is closed. Raises what aiohttp raises, ValueError: no JSON."""
    url = f"ws{client.url.removeprefix('http')}/api/v1/ws/progress/{task_id}?after={after}"
    closing = aiohttp.ClientWSTimeout(ws_close=2.0)
    async with asyncio.timeout(CONNECT_S):
        with client.called("GET", "/api/v1/ws/progress"):
            headers = client.headers()
            websocket = await client.session.ws_connect(url, headers=headers, heartbeat=HEARTBEAT_S, timeout=closing)
    async with websocket, client.hints.closing(task_id, websocket):
        async for frame in websocket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return
            message = json.loads(frame.data)
            if isinstance(message, dict):
                yield message


async def _polled(client: InpaintClient, task_id: str, after: int) -> dict[str, Any] | None:
    """Return the task's status as a message; None when the service does not answer. Raises NotFound, Expired."""
    try:
        status = await client.status(task_id)
    except (NotFound, Expired):
        raise
    except Problem:
        return None
    type_ = _END_BY_STATUS.get(status.get("status", ""), "progress_update")
    needed = {name: status.get(name, 0) for name in _NEEDED}
    result = {"regions": status.get("regions", []), "processing_time": status.get("elapsed_time")}
    told = {name: status.get(name) for name in ("error_message", "retryable")} | {"result": result, **needed}
    return {"type": type_, "task_id": task_id, "seq": max(after, status.get("seq", 0)), **told}
