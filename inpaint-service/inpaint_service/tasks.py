"""An asynchronous order as a job: every stage and every step that is done is an event, cancel falls between them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

from pydantic import TypeAdapter

from cleanplate.contract.messages import Region
from cleanplate.runtime import traces
from cleanplate.runtime.board import Board
from cleanplate.runtime.images import Picture
from cleanplate.runtime.jobs import Job, NewJob, State, iso
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.progress import word
from cleanplate.runtime.run import Run
from inpaint_service.answers import told
from inpaint_service.erase import Eraser, Work
from inpaint_service.loads import Loads
from inpaint_service.wire import Order, TaskParams

KIND = "inpaint"
IMAGE, REGIONS, RESULT = "image", "regions.json", "result"
PREPARED, MASKED, INPAINTED, ENCODED = 0.05, 0.15, 0.90, 0.99
NEWEST_SHARE = 0.3

_REGIONS = TypeAdapter(list[Region])


class Pace:
    """How long a task takes here, as a moving average of those that were done; None before the first."""

    def __init__(self) -> None:
        self.task_s: float | None = None

    def add(self, seconds: float) -> None:
        """Count a task that was done."""
        old = seconds if self.task_s is None else self.task_s
        self.task_s = old + NEWEST_SHARE * (seconds - old)


def new_task(order: Order, task_id: str, owner: str) -> tuple[NewJob, dict[str, bytes]]:
    """Return the job and the files of an order."""
    assert isinstance(order.params, TaskParams)
    params = order.params.model_dump(mode="json")
    params["region_count"] = len(order.regions)  # the regions may be thousands: a file, not a column
    regions = json.dumps([region.model_dump(mode="json") for region in order.regions])
    return NewJob(task_id, KIND, params, order.digest(), owner), {IMAGE: order.image, REGIONS: regions.encode()}


class Tasks:
    """Handles a task; see `Handler`."""

    def __init__(self, eraser: Eraser, loads: Loads, lane: Lane, pace: Pace):
        self._eraser = eraser
        self._loads = loads
        self._lane = lane
        self._pace = pace

    async def __call__(self, run: Run) -> None:
        """Carry the task to its end. One that was interrupted begins anew and tells only what is new."""
        started = time.perf_counter()
        order = await self._order(run)
        with traces.span("decode"):
            picture = await self._lane.run(lambda: self._eraser.open(order))
        regions = len(order.regions)
        size = f"{picture.width} x {picture.height} pixels"
        _, work = await asyncio.gather(
            run.report("preparing", PREPARED, stage_progress=1.0, message=f"decoded, {size}", regions=regions),
            self._prepare(order, picture, started),
        )
        counts: dict[str, Any] = {"units": len(work.plan.units), "regions": regions}
        await run.report("masking", MASKED, stage_progress=1.0, message="mask and plan built", **counts)
        with traces.span("inpaint"):
            await self._repaint(run, work, regions)
        with traces.span("finalize"):
            outcome = await self._lane.run(work.finish)
            await asyncio.gather(
                run.report("finalizing", ENCODED, stage_progress=1.0, message="encoded", region=regions, **counts),
                run.put(RESULT, outcome.encoded.data),
            )
        await run.succeed(told(outcome))
        self._pace.add(outcome.seconds)

    async def _order(self, run: Run) -> Order:
        image, listed = await asyncio.gather(run.get(IMAGE), run.get(REGIONS))
        regions = await asyncio.to_thread(_REGIONS.validate_json, listed)
        return Order(image, TaskParams.model_validate(run.job.params), tuple(regions))

    async def _prepare(self, order: Order, picture: Picture, started: float) -> Work:
        await self._loads.wait(order.params.model)
        with traces.span("mask"):
            return await self._lane.run(lambda: self._eraser.prepare(order, picture, started))

    async def _repaint(self, run: Run, work: Work, regions: int) -> None:
        total = len(work.plan.units)
        while work.left:
            for note in await self._lane.run(work.step):
                await run.note(note.code, message=note.message)
            share = work.done / total
            await run.report(
                "inpainting",
                MASKED + (INPAINTED - MASKED) * share,
                stage_progress=share,
                message=f"{work.plan.units[work.done - 1].strategy}: step {work.done} of {total}",
                unit=work.done,
                units=total,
                region=_finished(work),
                regions=regions,
            )


def result_url_path(task_id: str) -> str:
    """Return where the picture of a task is."""
    return f"/api/v1/task-result/{task_id}"


async def payload(board: Board, job: Job, result_url: str) -> dict[str, Any]:
    """Return the body of a task's callback."""
    done = job.state is State.SUCCEEDED
    data = await board.call(board.files.get, job.id, RESULT) if done else b""
    return {
        "task_id": job.id,
        "status": word(job.state, job.stage),
        "image_data": base64.b64encode(data).decode() if done else None,
        "result_url": result_url if done else None,
        "error_message": job.error["detail"] if job.error else None,
        "timestamp": iso(job.finished_at),
    }


def _finished(work: Work) -> int:
    """Count the regions of which nothing is left to do."""
    touched = {region for unit in work.plan.units[: work.done] for region in unit.regions}
    return len(touched - {region for unit in work.left for region in unit.regions})
