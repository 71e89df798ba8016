"""The dispatcher of a service that leaves its jobs to workers: sends the ids of those that wait, again if need be."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
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

    First after a lease, then after twice as long each time, and only when fewer messages lie at the broker than jobs
    wait: where nobody takes them, they do not pile up. One that comes twice does no harm: it is the claim that decides
    who runs a job.
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
        now = time.monotonic()
        due = [each for each in waiting if self._sent[each[:2]][0] <= now]
        if not due:
            return
        try:
            lost = await self._are_some_lost(due)
            for job_id, seq, priority in due:
                before, pause_s = self._sent[job_id, seq]
                if lost or not before:
                    await asyncio.to_thread(self._broker.send, job_id, priority)
                longer_s = min(2 * pause_s, LONGEST_PAUSE_S) if lost or not before else pause_s
                self._sent[job_id, seq] = time.monotonic() + pause_s, longer_s
        except OperationalError as error:
            self._tell(str(error))
        else:
            self._tell(None)

    async def _are_some_lost(self, due: Sequence[tuple[str, int, int]]) -> bool:
        """Say whether fewer messages lie at the broker than were sent; it is asked where one is due again."""
        if not any(self._sent[job_id, seq][0] for job_id, seq, _ in due):
            return False
        sent = sum(bool(due_at) for due_at, _ in self._sent.values())
        return await asyncio.to_thread(self._broker.waiting) < sent

    def _tell(self, away: str | None) -> None:
        """Log once that the broker is away, and why, and once that it is back."""
        if away is not None and not self._away:
            log.warning("the broker does not answer, jobs wait: %s", away)
        elif away is None and self._away:
            log.warning("the broker answers again")
        self._away = away is not None
