"""The story of the product: detect → mask → inpaint → finalize, for one picture, resuming after the last step done.

A step that is done leaves a file and a checkpoint; whoever takes the job over afterwards begins at the next step.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import suppress
from typing import Any

from backend import relay
from backend.clients import InpaintClient, OcrClient
from backend.options import Options
from cleanplate.contract.messages import DetectedRegion, Detection
from cleanplate.contract.problems import NotFound, Problem, UpstreamFailed
from cleanplate.runtime.images import PictureLimits, decode, encode
from cleanplate.runtime.jobs import State
from cleanplate.runtime.run import Run

log = logging.getLogger(__name__)

DETECTED = 0.30
MASKED = 0.35
INPAINTED = 0.95
TASK_TRIES = 3

INPUT, REGIONS, MASK, RESULT = "input", "regions.json", "mask.png", "result"


class Pipeline:
    """Handles a job; see `Handler`."""

    def __init__(self, ocr: OcrClient, inpaint: InpaintClient, limits: PictureLimits, patience_s: float):
        self._ocr = ocr
        self._inpaint = inpaint
        self._limits = limits
        self._patience_s = patience_s

    async def __call__(self, run: Run) -> None:
        """Carry the job from wherever it stands to its end."""
        options = Options.model_validate(run.job.params["options"])
        image = await run.get(INPUT)
        try:
            detection = await self._detect(run, image, options)
            chosen = [region for region in detection.regions if _wanted(region, options)]
            await self._mask(run, image, chosen, options)
            if chosen and not options.dry_run:
                await self._repaint(run, image, chosen, options)
            await self._finalize(run, image, detection, chosen, options)
        except asyncio.CancelledError:
            await self._cancel_task(run)
            raise

    async def _detect(self, run: Run, image: bytes, options: Options) -> Detection:
        if "detected" in run.job.checkpoint:
            return Detection.model_validate_json(await run.board.call(run.board.files.get, run.job.id, REGIONS))
        started = time.perf_counter()
        detection = await self._ocr.patiently(lambda: self._ocr.detect(image, options.engine), _noting(run))
        await run.put(REGIONS, detection.model_dump_json().encode())
        found = len(detection.regions)
        size = {"width": detection.width, "height": detection.height, "regions": found}
        await run.report(
            "detecting",
            DETECTED,
            stage_progress=1.0,
            message=f"{found} regions of text found",
            regions=found,
            checkpoint={"detected": {**size, "seconds": round(time.perf_counter() - started, 3)}},
        )
        return detection

    async def _mask(self, run: Run, image: bytes, chosen: list[DetectedRegion], options: Options) -> None:
        if "masked" in run.job.checkpoint or not chosen:
            return
        params = options.inpaint_params()
        mask = await self._inpaint.patiently(lambda: self._inpaint.mask(image, chosen, params), _noting(run))
        await run.put(MASK, mask)
        told = {"stage_progress": 1.0, "message": "mask built", "regions": len(chosen)}
        await run.report("masking", MASKED, checkpoint={"masked": True}, **told)

    async def _repaint(self, run: Run, image: bytes, chosen: list[DetectedRegion], options: Options) -> None:
        if "repainted" in run.job.checkpoint:
            return
        for tried in range(TASK_TRIES):
            task_id = await self._task_id(run)
            end = await self._follow_task(run, image, chosen, options, task_id)
            if end["type"] == "task_completed":
                picture = await self._inpaint.patiently(lambda task=task_id: self._inpaint.result(task), _noting(run))  # type: ignore[misc]
                await run.put(RESULT, picture)
                regions = end["result"].get("regions", [])
                told = {"stage_progress": 1.0, "message": "repainted", "regions": len(chosen), "region": len(chosen)}
                await run.report("inpainting", INPAINTED, checkpoint={"repainted": regions}, **told)
                return
            reason = end.get("error_message") or end["type"]
            if tried + 1 == TASK_TRIES or end["type"] != "task_failed" or not end.get("retryable"):
                raise UpstreamFailed(f"inpaint-service: {reason}")
            await run.note("retrying", service="inpaint-service", reason=reason, checkpoint={"task": None, "after": 0})

    async def _task_id(self, run: Run) -> str:
        """Return the id of the task at work, or a fresh one, which is noted before it is used."""
        known: str | None = run.job.checkpoint.get("task")
        if known is not None:
            return known
        number = run.job.checkpoint.get("tasks", 0) + 1
        task_id = f"{run.job.id[:90]}-{number}"
        await run.note("task_chosen", task_id=task_id, checkpoint={"task": task_id, "tasks": number, "after": 0})
        return task_id

    async def _follow_task(
        self, run: Run, image: bytes, chosen: list[DetectedRegion], options: Options, task_id: str
    ) -> dict[str, Any]:
        """Start the task, or find it, and relay its progress; return the message that ended it."""
        params = options.inpaint_params()
        submit = lambda: self._inpaint.submit(image, chosen, params, task_id)  # noqa: E731
        await self._inpaint.patiently(submit, _noting(run))
        try:
            async for message in relay.follow(
                self._inpaint, task_id, run.job.checkpoint.get("after", 0), self._patience_s
            ):
                if message["type"] in relay.ENDS:
                    return message
                await _merge(run, message)
        except NotFound:
            return {"type": "task_failed", "error_message": "the task is gone", "retryable": True}
        raise UpstreamFailed("the inpaint-service ended the progress of a task without its end")

    async def _finalize(
        self, run: Run, image: bytes, detection: Detection, chosen: list[DetectedRegion], options: Options
    ) -> None:
        if not chosen and not options.dry_run:
            await run.put(RESULT, await asyncio.to_thread(_unchanged, image, options, self._limits))
        done = {region["id"]: region for region in run.job.checkpoint.get("repainted", [])}
        result = {
            "width": detection.width,
            "height": detection.height,
            "regions_found": len(detection.regions),
            "regions": [{"id": region.id, **done.get(region.id, {})} for region in chosen],
            "processing_time": round(time.time() - (run.job.started_at or time.time()), 3),
            "dry_run": options.dry_run,
        }
        await run.report("finalizing", 0.99, stage_progress=1.0, message="result kept", regions=len(chosen))
        await run.succeed(result)

    async def _cancel_task(self, run: Run) -> None:
        """Tell the inpaint-service when the client has cancelled; a job that only moves on keeps its task."""
        task_id = run.job.checkpoint.get("task")
        if task_id is None or "repainted" in run.job.checkpoint:
            return
        with suppress(Problem):
            if (await run.board.get(run.job.id)).state is State.CANCELLED:
                await self._inpaint.cancel(task_id)


def _wanted(region: DetectedRegion, options: Options) -> bool:
    height = min(region.box.width, region.box.height)
    return region.score >= options.min_score and height >= options.min_height


def _unchanged(image: bytes, options: Options, limits: PictureLimits) -> bytes:
    picture = decode(image, limits)
    return encode(picture, picture.rgb, options.output_format, options.quality).data


def _noting(run: Run) -> Any:
    async def note(service: str, reason: str) -> None:
        await run.note("retrying", service=service, reason=reason)

    return note


async def _merge(run: Run, message: dict[str, Any]) -> None:
    """Write a message of the inpaint-service into the job's own log, with the cursor in the same transaction."""
    if message["type"] == "reconnecting":
        await run.note("reconnecting", service="inpaint-service", reason=message["message"])
    elif message["type"] == "progress_update":
        share = message["overall_progress"] / 100
        await run.report(
            "inpainting",
            MASKED + (INPAINTED - MASKED) * share,
            stage_progress=share,
            message=message["message"],
            region=message["current_region"],
            regions=message["total_regions"],
            checkpoint={"after": message["seq"]},
        )
    else:
        log.debug("nothing to relay in %s", json.dumps(message))
