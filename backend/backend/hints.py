"""Word of mouth that a task of the inpaint-service has ended. Only a hint: who follows the task looks for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientWebSocketResponse

from cleanplate.runtime.board import Wakeups

GRACE_S = 1.0


class Hints:
    """Brings the word to who follows the task in this process."""

    def __init__(self) -> None:
        self._wakeups = Wakeups()

    def give(self, task_id: str) -> None:
        """Say that the task has ended."""
        self._wakeups.notify(task_id)

    async def pause(self, task_id: str, seconds: float) -> None:
        """Wait so long, or until it is said that the task has ended."""
        with self._wakeups.listen(task_id) as hint:
            try:
                async with asyncio.timeout(seconds):
                    await hint.wait()
            except TimeoutError:
                return

    @asynccontextmanager
    async def closing(self, task_id: str, websocket: ClientWebSocketResponse) -> AsyncIterator[None]:
        """Close the task's WebSocket when it is said that the task has ended and the WebSocket does not say so."""

        async def close() -> None:
            with self._wakeups.listen(task_id) as hint:
                await hint.wait()
            await asyncio.sleep(GRACE_S)  # what it says may be under way
            await websocket.close()

        waiting = asyncio.create_task(close())
        try:
            yield
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
