"""Following an inpaint task's progress over its WebSocket, resuming from the cursor whenever the connection drops."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from backend.clients import FIRST_PAUSE_S, InpaintClient
from cleanplate.contract.problems import NotFound, Problem, UpstreamFailed

log = logging.getLogger(__name__)

HEARTBEAT_S = 20.0
LONGEST_PAUSE_S = 2.0
ENDS = frozenset({"task_completed", "task_failed", "task_cancelled"})
_END_BY_STATUS = {"completed": "task_completed", "error": "task_failed", "cancelled": "task_cancelled"}


async def follow(client: InpaintClient, task_id: str, after: int, patience_s: float) -> AsyncIterator[dict[str, Any]]:
    """Yield the task's messages with a `seq` over `after`, each once, and end after the one that ends the task.

    When the connection goes away one message of type `reconnecting` is yielded, and until it is back the task's status
    is polled, so that its end is seen even where WebSockets do not get through.

    Raises:
        UpstreamFailed: the service was away for longer than `patience_s`.
        NotFound: it does not know the task any more.
    """
    pause_s, away_since, told = FIRST_PAUSE_S, time.monotonic(), False
    while True:
        reason = "the connection was closed"
        try:
            async for message in _connected(client, task_id, after):
                pause_s, away_since, told = FIRST_PAUSE_S, time.monotonic(), False
                after = message["seq"]
                yield message
                if message["type"] in ENDS:
                    return
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason = f"{type(error).__name__} {error}".strip()
        end = await _polled_end(client, task_id, after)
        if end is not None:
            yield end
            return
        if time.monotonic() - away_since > patience_s:
            raise UpstreamFailed(f"inpaint-service: {reason}")
        if not told:
            yield {"type": "reconnecting", "message": reason}
            told = True
        await asyncio.sleep(pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


async def _connected(client: InpaintClient, task_id: str, after: int) -> AsyncIterator[dict[str, Any]]:
    url = f"ws{client.url.removeprefix('http')}/api/v1/ws/progress/{task_id}?after={after}"
    timeout = aiohttp.ClientWSTimeout(ws_close=2.0)
    async with client.session.ws_connect(
        url, headers=client.headers(), heartbeat=HEARTBEAT_S, timeout=timeout
    ) as websocket:
        async for frame in websocket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return
            message = json.loads(frame.data)
            if isinstance(message.get("seq"), int) and message["seq"] > after:
                after = message["seq"]
                yield message


async def _polled_end(client: InpaintClient, task_id: str, after: int) -> dict[str, Any] | None:
    """Return the message for a task that has ended meanwhile; None while it runs or the service does not answer."""
    try:
        status = await client.status(task_id)
    except NotFound:
        raise
    except Problem:
        return None
    type_ = _END_BY_STATUS.get(status["status"])
    if type_ is None:
        return None
    result = {"regions": status.get("regions", []), "processing_time": status.get("elapsed_time")}
    told = {"error_message": status.get("error_message"), "retryable": False}
    return {"type": type_, "task_id": task_id, "seq": after, "result": result, **told}
