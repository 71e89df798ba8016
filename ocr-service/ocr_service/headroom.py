"""Free memory that is left alone: while there is less, new work is refused, and what has begun waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cleanplate.contract.problems import MemoryShort
from ocr_service.machine import Memory, system_memory

RETRY_S = 10.0
PAUSE_S = 1.0
_MEGABYTE = 1024 * 1024


class Headroom:
    """A reserve of memory, in megabytes; 0: nobody asks. `machine` blocks, and may not know."""

    def __init__(
        self, reserve_mb: int, machine: Callable[[], Memory | None] = system_memory, *, pause_s: float = PAUSE_S
    ):
        self.machine = machine
        self._reserve = reserve_mb * _MEGABYTE
        self._pause_s = pause_s

    def pressing(self, memory: Memory | None) -> bool:
        """Say whether less than the reserve is free; not where nobody knows."""
        return memory is not None and memory.free < self._reserve

    async def short(self) -> bool:
        """Say whether it is so now."""
        return bool(self._reserve) and self.pressing(await asyncio.to_thread(self.machine))

    async def check(self) -> None:
        """Refuse new work.

        Raises:
            MemoryShort: less than the reserve is free.
        """
        if await self.short():
            limit_mb = self._reserve // _MEGABYTE
            detail = f"less than {limit_mb} MB of memory are free, which OCR_MEMORY_RESERVE_MB keeps"
            raise MemoryShort(detail, retry_after_s=RETRY_S, limit=limit_mb)

    async def wait(self) -> None:
        """Return when so much is free."""
        while await self.short():  # noqa: ASYNC110 - nobody tells when memory is free
            await asyncio.sleep(self._pause_s)
