"""Rendering one page ahead: while a page is read the next is rendered, and never more than these two are in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

Render = Callable[[int], Awaitable[NDArray[np.uint8]]]


class Ahead:
    """Renders pages in order. Whoever takes one lets go of it before taking the next."""

    def __init__(self, render: Render, indexes: Sequence[int]):
        self._render = render
        self._left = list(reversed(indexes))
        self._coming: asyncio.Future[NDArray[np.uint8]] | None = None

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def take(self) -> NDArray[np.uint8]:
        """Return the next page when it is rendered, or raise why it is not; the one behind it is begun."""
        current, self._coming = self._coming, None
        assert current is not None, "there are no more pages"
        try:
            return await current
        finally:
            self._begin()

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.gather(self._coming, return_exceptions=True)

    def _begin(self) -> None:
        if self._left:
            self._coming = asyncio.ensure_future(self._render(self._left.pop()))
