"""What a job works on, one at a time: its only picture, or a page of its document. Says where what is done is kept.

A picture's files and checkpoint are the job's own. A page has files and a part of the checkpoint for itself, so that
the same steps, made for one picture, work on each page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from backend import spans
from cleanplate.runtime import traces
from cleanplate.runtime.run import Run

CLEAN, ERASED, FOUND, FAILED = "untouched", "erased", "found", "failed"
"""How a page ends: there was nothing to erase; it was repainted; a dry run found something; it is as it was sent."""

ONLY = {"unit": 1, "units": 1}
NO_TASK: dict[str, Any] = {"task": None, "after": 0}
"""The part of a checkpoint that says that no task of the inpaint-service is at work."""

_KEPT = ("rendered", "detected", "masked", "tasks")


def scope(number: int) -> str:
    """Return under which name a page, counted from 1, has its files and its part of the checkpoint."""
    return f"page-{number}"


def page_file(number: int, name: str) -> str:
    """Return the name of a page's own file."""
    return f"{scope(number)}-{name}"


class Sheet:
    """The only picture of a job."""

    number = 1

    def __init__(self, run: Run):
        self.run = run

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """What of it is done."""
        return self.run.job.checkpoint

    def name(self, file: str) -> str:
        """Return under which name the job keeps this file of it."""
        return file

    def step(self, name: str) -> AbstractContextManager[traces.Span]:
        """Record a step of it as a span."""
        return traces.span(name, {"page": self.number})

    def task_id(self, number: int) -> str:
        """Return the id of the first, second, … task of the inpaint-service about it."""
        return f"{self.run.job.id[:90]}-{number}"

    async def get(self, file: str) -> bytes:
        """Return a file that was kept. Raises Expired."""
        return await self.run.board.call(self.run.board.files.get, self.run.job.id, self.name(file))

    async def put(self, file: str, data: bytes) -> None:
        """Keep a file."""
        await self.run.put(self.name(file), data)

    async def remove(self, file: str) -> None:
        """Remove a file, if it is there."""
        await self.run.board.call(self.run.board.files.remove, self.run.job.id, self.name(file))

    async def note(self, type_: str, *, checkpoint: dict[str, Any] | None = None, **data: Any) -> None:
        """Log what is no progress; see `Run.note`."""
        await self.run.note(type_, checkpoint=checkpoint, **data)

    async def report(self, stage: str, share: float, *, checkpoint: dict[str, Any] | None = None, **data: Any) -> None:
        """Log a unit of work really done, the first of one unless `data` says more; `share` is the sheet's, 0 to 1."""
        await self.run.report(stage, share, checkpoint=checkpoint, **{"page": 1, "pages": 1, **ONLY, **data})


class Page(Sheet):
    """A page of a document. `turn` is taken by whoever writes to the job's log: two pages are under way at once."""

    def __init__(self, run: Run, number: int, numbers: Sequence[int], turn: asyncio.Lock):
        super().__init__(run)
        self.number = number
        self._numbers = numbers
        self._turn = turn

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        return page_state(self.run.job.checkpoint, self.number)

    @property
    def done(self) -> bool:
        """Whether it has come to its end."""
        return "status" in self.checkpoint

    def name(self, file: str) -> str:
        return page_file(self.number, file)

    def task_id(self, number: int) -> str:
        return f"{self.run.job.id[:80]}-{self.number}-{number}"

    async def note(self, type_: str, *, checkpoint: dict[str, Any] | None = None, **data: Any) -> None:
        async with self._turn:
            state = None if checkpoint is None else {scope(self.number): {**self.checkpoint, **checkpoint}}
            await self.run.note(type_, checkpoint=state, page=self.number, **data)

    async def report(self, stage: str, share: float, *, checkpoint: dict[str, Any] | None = None, **data: Any) -> None:
        if checkpoint is None and share <= self.checkpoint.get("share", 0.0):  # an earlier attempt has told it
            await self.run.still_mine()
            return
        async with self._turn:
            state = {**self.checkpoint, **(checkpoint or {})}
            await self._tell(stage, share, state, **data)

    async def finish(self, status: str, message: str, seconds: float, **state: Any) -> None:
        """Log how the page has ended, and keep that instead of its steps; one that failed may go on from them."""
        kept = self.checkpoint if status == FAILED else {name: self.checkpoint.get(name) for name in _KEPT}
        kept = {name: value for name, value in kept.items() if value is not None}
        async with self._turn:
            ended = {**kept, **state, "status": status, "seconds": round(seconds, 3)}
            await self._tell("finalizing", 1.0, ended, message=message, stage_progress=1.0, status=status)

    async def _tell(self, stage: str, share: float, state: dict[str, Any], **data: Any) -> None:
        state["share"] = max(share, self.checkpoint.get("share", 0.0))
        states = [page_state(self.run.job.checkpoint, number) for number in self._numbers if number != self.number]
        done = (state["share"] + sum(other.get("share", 0.0) for other in states)) / len(self._numbers)
        took = [other["seconds"] for other in (state, *states) if "seconds" in other]
        eta = {"eta_s": round(sum(took) * len(self._numbers) * (1 - done) / len(took), 2)} if took else {}
        told = {"page": self.number, "pages": len(self._numbers), **ONLY, **eta, **data}
        await self.run.report(stage, spans.PAGES * done, checkpoint={scope(self.number): state}, **told)


def page_state(checkpoint: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    """Return a page's part of a job's checkpoint."""
    state: Mapping[str, Any] = checkpoint.get(scope(number), {})
    return state


def page_view(checkpoint: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return what clients are shown of a page."""
    state = page_state(checkpoint, number)
    seen = state.get("detected", {})
    return {
        "page": number,
        "status": state.get("status", "running" if state else "waiting"),
        "rendered": "rendered" in state,
        "width": seen.get("width"),
        "height": seen.get("height"),
        "regions_found": seen.get("regions"),
        "regions_erased": state.get("erased"),
        "residual_regions": state.get("residual"),
        "reason": state.get("reason"),
        "seconds": state.get("seconds"),
    }


def reopened(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checkpoint by which a job is tried again: its failed pages go on after their last step."""
    opened: dict[str, Any] = {**NO_TASK}
    for name, state in checkpoint.items():
        if name.startswith("page-") and state.get("status", FAILED) == FAILED:
            opened[name] = {
                key: value for key, value in state.items() if key not in ("status", "reason", "share")
            } | NO_TASK
    return opened
