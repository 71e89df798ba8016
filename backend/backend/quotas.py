"""How many jobs one key may have under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cleanplate.contract.problems import Expired, NotFound, QueueFull
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import ACTIVE


class Quota:
    """Lets submits of a job through one after the other where there is a limit, so that it holds exactly."""

    def __init__(self, board: Board, limit: int):
        self._board = board
        self._limit = limit
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def place(self, owner: str, new_id: str | None = None, places: int = 1) -> AsyncIterator[None]:
        """Hold places for more jobs, to be queued within.

        Args:
            owner: whose.
            new_id: that of a job or batch to submit; one that is there already needs no place.
            places: how many.

        Raises:
            QueueFull: the owner has too many under way.
        """
        if not self._limit:
            yield
            return
        async with self._turn:
            if new_id is None or not await self._is_there(new_id):
                await self._check(owner, places)
            yield

    async def _check(self, owner: str, places: int) -> None:
        counts = await self._board.call(self._board.store.counts, self._board.kind, owner)
        under_way = sum(counts[state] for state in ACTIVE)
        if under_way + places > self._limit:
            told = f"{under_way} jobs of this key are under way already"
            raise QueueFull(told, retry_after_s=5, queue_length=under_way, limit=self._limit)

    async def _is_there(self, job_id: str) -> bool:
        try:
            await self._board.call(self._board.store.get, job_id)
        except (NotFound, Expired):
            return False
        return True
