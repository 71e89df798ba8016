"""A reserve of memory: what is refused while it is touched, and what waits."""

from __future__ import annotations

import pytest

from cleanplate.contract.problems import MemoryShort
from ocr_service.headroom import Headroom
from ocr_service.machine import Memory

MB = 1024 * 1024
PLENTY, LITTLE = Memory(300 * MB, 1000 * MB), Memory(299 * MB, 1000 * MB)


class Machine:
    """Tells of these memories, one after the other, and then of the last again."""

    def __init__(self, *memories: Memory | None):
        self._left = list(memories)
        self.asked = 0

    def __call__(self) -> Memory | None:
        self.asked += 1
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


async def test_work_is_refused_while_less_than_the_reserve_is_free() -> None:
    with pytest.raises(MemoryShort, match="300 MB") as caught:
        await Headroom(300, Machine(LITTLE)).check()
    assert caught.value.retry_after_s
    assert caught.value.extra["limit"] == 300


@pytest.mark.parametrize("memory", [PLENTY, None])
async def test_work_is_taken_where_enough_is_free_or_nobody_knows(memory: Memory | None) -> None:
    await Headroom(300, Machine(memory)).check()


async def test_without_a_reserve_nobody_asks() -> None:
    machine = Machine(LITTLE)
    headroom = Headroom(0, machine)
    await headroom.check()
    await headroom.wait()
    assert machine.asked == 0


async def test_what_waits_goes_on_when_memory_is_free_again() -> None:
    machine = Machine(LITTLE, LITTLE, LITTLE, PLENTY)
    await Headroom(300, machine, pause_s=0).wait()
    assert machine.asked == 4
