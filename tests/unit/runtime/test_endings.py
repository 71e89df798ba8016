"""A call that does not return ends the process, and one that does not last long does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from cleanplate.runtime.endings import FAILED, end_when_hung
from cleanplate.runtime.lane import Lane


@pytest.fixture
def lane() -> Iterator[Lane]:
    made = Lane("engine")
    yield made
    made.close()


async def test_a_call_that_hangs_ends_the_process(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    may_end, codes = threading.Event(), list[int]()
    calling = asyncio.create_task(lane.run(may_end.wait))
    async with asyncio.timeout(10):
        await end_when_hung(lane, 0.01, codes.append)
    assert codes == [FAILED]
    assert "engine has not returned" in caplog.text
    may_end.set()
    await calling


async def test_it_is_the_call_that_counts_and_not_whether_somebody_waits_for_it(lane: Lane) -> None:
    may_end, codes = threading.Event(), list[int]()
    calling = asyncio.create_task(lane.run(may_end.wait))
    await asyncio.sleep(0)
    calling.cancel()
    async with asyncio.timeout(10):
        await end_when_hung(lane, 0.01, codes.append)
    assert codes == [FAILED]
    may_end.set()


async def test_calls_that_return_end_nothing(lane: Lane) -> None:
    codes = list[int]()
    watching = asyncio.create_task(end_when_hung(lane, 3600, codes.append))
    for _ in range(10):
        await lane.run(lambda: None)
    assert lane.oldest_s == 0
    watching.cancel()
    assert codes == []
