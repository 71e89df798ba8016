"""One painting of a picture: a task of the inpaint-service, begun once, followed to its end, and its picture kept."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from backend import relay
from backend.artifacts import painted
from backend.clients import InpaintClient
from backend.notes import noting
from backend.sheets import NO_TASK, Sheet
from backend.spans import Span
from cleanplate.contract.messages import DetectedRegion
from cleanplate.contract.problems import Expired, NotFound, Problem, UpstreamFailed, UpstreamRefused
from cleanplate.runtime.jobs import State

log = logging.getLogger(__name__)

TASK_TRIES = 3
PREPARING = "preparing"
Meanwhile = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Do nothing."""


class PaintingFailed(UpstreamFailed):
    """The inpaint-service could not repaint the picture."""


@dataclass(frozen=True)
class Painting:
    """A picture's first, second, … painting: of what, where, how, and which part of the progress it is."""

    number: int
    image: bytes
    regions: Sequence[DetectedRegion]
    params: dict[str, Any]
    span: Span


class Painter:
    """Has paintings done."""

    def __init__(self, inpaint: InpaintClient, patience_s: float):
        self._inpaint = inpaint
        self._patience_s = patience_s

    async def paint(self, sheet: Sheet, painting: Painting, meanwhile: Meanwhile = nothing) -> None:
        """Carry the painting to its end: its file, and a checkpoint with what was done to each region.

        `meanwhile` is called once the service has built the mask, while it repaints; after a task begun anew, again.

        Raises:
            PaintingFailed: the task failed too often, or was cancelled there.
            UpstreamRefused: it failed for good.
            UpstreamFailed: the service was away for too long.
        """
        with sheet.step("inpaint"):
            await self._painted(sheet, painting, meanwhile)

    async def _painted(self, sheet: Sheet, painting: Painting, meanwhile: Meanwhile) -> None:
        for tried in range(TASK_TRIES):
            task_id = await self._task_id(sheet)
            try:
                await self._submit(sheet, painting, task_id)
                after = sheet.checkpoint.get("after", 0)
                async with aclosing(relay.follow(self._inpaint, task_id, after, self._patience_s)) as messages:
                    end = await _followed(sheet, messages, painting.span, meanwhile)
                    if end["type"] == "task_completed":  # the service may say goodbye later
                        await self._keep(sheet, painting, task_id, end["result"].get("regions", []))
                        return
            except (NotFound, Expired):
                end = {"type": "task_failed", "error_message": "the task is gone", "retryable": True}
            reason = end.get("error_message") or end["type"]
            if end.get("retryable") is False:
                raise UpstreamRefused(f"inpaint-service: {reason}")
            if tried + 1 == TASK_TRIES or end["type"] != "task_failed" or not end.get("retryable"):
                raise PaintingFailed(f"inpaint-service: {reason}")
            await sheet.note("retrying", service="inpaint-service", reason=reason, checkpoint=NO_TASK)

    async def cancel(self, sheet: Sheet) -> None:
        """Cancel the task at work when the client has cancelled; a job that only moves on keeps its task."""
        task_id = sheet.checkpoint.get("task")
        if task_id is None:
            return
        with suppress(Problem):
            if (await sheet.run.board.get(sheet.run.job.id)).state is State.CANCELLED:
                await self._inpaint.cancel(task_id)

    async def _task_id(self, sheet: Sheet) -> str:
        """Return the id of the task at work, or a fresh one, which is noted before it is used."""
        known: str | None = sheet.checkpoint.get("task")
        if known is not None:
            return known
        number = sheet.checkpoint.get("tasks", 0) + 1
        task_id = sheet.task_id(number)
        await sheet.note("task_chosen", task_id=task_id, checkpoint={"task": task_id, "tasks": number, "after": 0})
        return task_id

    async def _submit(self, sheet: Sheet, painting: Painting, task_id: str) -> None:
        """Start the task, or find it."""
        submit = lambda: self._inpaint.submit(painting.image, painting.regions, painting.params, task_id)  # noqa: E731
        await self._inpaint.patiently(submit, noting(sheet))

    async def _keep(self, sheet: Sheet, painting: Painting, task_id: str, results: list[dict[str, Any]]) -> None:
        await sheet.put(
            painted(painting.number),
            await self._inpaint.patiently(lambda: self._inpaint.result(task_id), noting(sheet)),
        )
        done = {region["id"]: region for region in [*sheet.checkpoint.get("repainted", []), *results]}
        count, span = len(painting.regions), painting.span
        checkpoint = {"painted": painting.number, "repainted": list(done.values()), **NO_TASK}
        told = {"stage_progress": span.stage_progress(1), "message": "repainted", "regions": count, "region": count}
        told |= {"unit": count, "units": count}
        await sheet.report(span.stage, span.end, checkpoint=checkpoint, **told)


async def _followed(
    sheet: Sheet, messages: AsyncIterator[dict[str, Any]], span: Span, meanwhile: Meanwhile
) -> dict[str, Any]:
    """Relay a task's progress, what comes before its mask after `meanwhile`; return the message that ended it."""
    held: list[dict[str, Any]] | None = []
    async for message in messages:
        if held is not None and message["type"] == "progress_update" and message.get("stage") == PREPARING:
            held.append(message)
            continue
        if held is not None and message["type"] in ("progress_update", "task_completed"):
            await meanwhile()
            for earlier in held:
                await _merge(sheet, earlier, span)
            held = None
        if message["type"] in relay.ENDS:
            return message
        await _merge(sheet, message, span)
    raise UpstreamFailed("the inpaint-service ended the progress of a task without its end")


async def _merge(sheet: Sheet, message: dict[str, Any], span: Span) -> None:
    """Write a message of the inpaint-service into the job's own log, with the cursor in the same transaction."""
    if message["type"] == "reconnecting":
        await sheet.note("reconnecting", service="inpaint-service", reason=message["message"])
    elif message["type"] == "progress_update":
        share = message["overall_progress"] / 100
        await sheet.report(
            span.stage,
            span.at(share),
            stage_progress=span.stage_progress(share),
            message=message["message"],
            region=message["current_region"],
            regions=message["total_regions"],
            unit=message["current_region"],
            units=message["total_regions"],
            checkpoint={"after": message["seq"]},
        )
    else:
        log.debug("nothing to relay in %s", json.dumps(message))
