"""Working ahead: while a page is read the next is rendered, and never more than these two are in memory.

Of an engine that is asked over the network several pages may be under way; see `Transcriber`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from cleanplate.runtime.cancelling import cancelled

T = TypeVar("T")


class Ahead(Generic[T]):
    """Makes something of each page, in order, `many` at a time. Whoever takes one lets go of it before the next."""

    def __init__(self, make: Callable[[int], Awaitable[T]], indexes: Sequence[int], many: int = 1):
        self._make = make
        self._left = list(reversed(indexes))
        self._many = many
        self._coming: deque[asyncio.Future[T]] = deque()

    async def __aenter__(self) -> Self:
        for _ in range(self._many):
            self._begin()
        return self

    async def take(self) -> T:
        """Return what was made of the next page, or raise why it was not; one more is begun."""
        assert self._coming, "there are no more pages"
        try:
            return await self._coming.popleft()
        finally:
            self._begin()

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await cancelled(self._coming)

    def _begin(self) -> None:
        if self._left:
            self._coming.append(asyncio.ensure_future(self._make(self._left.pop())))
