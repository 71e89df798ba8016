"""Ending what nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


async def cancelled(futures: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel them all, and return when each has ended, however that was."""
    ending = list(futures)
    for future in ending:
        future.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
