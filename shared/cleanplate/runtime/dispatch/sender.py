"""The dispatcher of a service that leaves its jobs to workers: sends the ids of those that wait, again if need be."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from kombu.exceptions import OperationalError

from cleanplate.contract.problems import Problem
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch.broker import Broker

log = logging.getLogger(__name__)

AT_ONCE = 10_000
LONGEST_PAUSE_S = 3600.0


class Sender:
    """See `Dispatcher`. An id is sent when its job begins to wait; a message may be lost, so it is sent again.

    First after a lease, then after twice as long each time, lest the messages of a long queue pile up. One that comes
    twice does no harm: it is the claim that decides who runs a job.
    """

    def __init__(self, board: Board, broker: Broker, *, lease_s: float = 30.0):
        self._board = board
        self._broker = broker
        self._lease_s = lease_s
        self._sent: dict[tuple[str, int], tuple[float, float]] = {}  # (id, seq): when to send again, and the pause then
        self._away = False
        self._sending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._sending = asyncio.create_task(self._serve(), name=f"sends-{self._board.kind}")

    async def stop(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending
        await asyncio.to_thread(self._broker.app.close)

    async def _serve(self) -> None:
        with self._board.wakeups.listen(f"queue:{self._board.kind}") as wakeup:
            while True:
                wakeup.clear()
                try:
                    await self._send_waiting()
                except Problem as problem:
                    log.warning("cannot look for jobs that wait: %s", problem)
                except Exception:  # a service must outlive whatever it is
                    log.exception("cannot send the ids of jobs that wait")
                await self._board.wait(wakeup)

    async def _send_waiting(self) -> None:
        waiting = await self._board.call_for_work(self._board.store.claimable, self._board.kind, AT_ONCE)
        self._sent = {(job_id, seq): self._sent.get((job_id, seq), (0.0, self._lease_s)) for job_id, seq, _ in waiting}
        for job_id, seq, priority in waiting:
            due_at, pause_s = self._sent[job_id, seq]
            if due_at <= time.monotonic():
                if not await self._send(job_id, priority):
                    return
                self._sent[job_id, seq] = time.monotonic() + pause_s, min(2 * pause_s, LONGEST_PAUSE_S)

    async def _send(self, job_id: str, priority: int) -> bool:
        """Send an id; False when the broker is away, which is logged once, and once that it is back."""
        try:
            await asyncio.to_thread(self._broker.send, job_id, priority)
        except OperationalError as error:
            if not self._away:
                log.warning("the broker does not answer, jobs wait: %s", error)
            self._away = True
            return False
        if self._away:
            log.warning("the broker answers again")
        self._away = False
        return True
