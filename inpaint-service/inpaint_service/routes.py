"""The service's HTTP routes: read the body, have it done, answer. No picture is touched here."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

import cleanplate
from cleanplate.contract.problems import Conflict, EngineUnavailable, NotReady, RegionOutside
from cleanplate.runtime import callbacks
from cleanplate.runtime.access import Owner, seen_by
from cleanplate.runtime.bodies import read_upload
from cleanplate.runtime.images import png, probe
from cleanplate.runtime.jobs import ACTIVE, NewJob, State, iso, new_id
from cleanplate.runtime.openapi import answers
from cleanplate.runtime.progress import task_view
from inpaint_service import masks, views
from inpaint_service.answers import HEADERS, PICTURE, picture, told
from inpaint_service.erase import Outcome
from inpaint_service.parts import Parts
from inpaint_service.tasks import KIND, RESULT, new_task, result_url_path
from inpaint_service.wire import JsonParams, Order, Params, TaskParams, body_schema, read_order
from inpaint_service.wires.iopaint import model_info

FORMATS = ["png", "jpeg", "webp", "bmp", "gif", "tiff", "avif"]
IDS_SHOWN = 1000
_OF_A_MASK = ("Content-Disposition", "X-Regions-Count", "X-Total-Area", "X-Timestamp", "X-Mask-Mode")
MASK = answers("image/png", description="The mask", headers={name: HEADERS[name] for name in _OF_A_MASK})


class Routes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self._began = time.time()
        self.router = APIRouter()
        self._add_about()
        self._add_erasing()
        self._add_tasks()

    def _add_about(self) -> None:
        add = self.router.add_api_route
        health: dict[int | str, dict[str, Any]] = {code: {"model": views.Health} for code in (200, 503)}
        add("/", self.root, methods=["GET"], tags=["about"], response_model=views.Root)
        add("/api/v1/health", self.health, methods=["GET"], tags=["about"], responses=health)
        add("/api/v1/model", self.model, methods=["GET"], tags=["about"], response_model=views.OwnModel)
        add("/api/v1/info", self.info, methods=["GET"], tags=["about"], response_model=views.Info)

    def _add_erasing(self) -> None:
        masked, regions = body_schema(Params, mask=True), body_schema(Params, regions=True)
        for path, route, body, answer in (
            ("inpaint", self.inpaint, masked, PICTURE),
            ("inpaint-regions", self.inpaint_regions, regions, PICTURE),
            ("mask", self.mask, regions, MASK),
        ):
            add = self.router.add_api_route
            kind: dict[str, Any] = {"response_class": Response, "responses": answer, "openapi_extra": body}
            add(f"/api/v1/{path}", route, methods=["POST"], tags=["erase"], **kind)
        self._add("POST", "inpaint-regions-json", self.inpaint_json, views.Statistics, JsonParams, tag="erase")

    def _add_tasks(self) -> None:
        self._add("POST", "inpaint-regions-async", self.inpaint_async, views.Submitted, TaskParams)
        self._add("GET", "task-status/{task_id}", self.task_status, views.TaskStatus)
        self._add("POST", "cancel-task/{task_id}", self.cancel_task, views.Cancelled)
        self._add("GET", "tasks", self.tasks, views.TaskCounts)
        result: dict[str, Any] = {"response_class": Response, "responses": PICTURE, "tags": ["tasks"]}
        self.router.add_api_route("/api/v1/task-result/{task_id}", self.task_result, methods=["GET"], **result)

    def _add(
        self,
        method: str,
        path: str,
        route: Callable[..., Any],
        view: type[views.View],
        body: type[Params] | None = None,
        tag: str = "tasks",
    ) -> None:
        told: dict[str, Any] = {"response_model": view, "response_model_exclude_unset": True, "tags": [tag]}
        if body is not None:
            told["openapi_extra"] = body_schema(body, regions=True)
        self.router.add_api_route(f"/api/v1/{path}", route, methods=[method], **told)

    async def root(self) -> dict[str, Any]:
        """Say what this is."""
        model = self._parts.models.view()
        return {
            "name": "cleanplate inpaint-service",
            "version": cleanplate.__version__,
            "status": "running",
            "docs": "/docs",
            "health": "/api/v1/health",
            "model": model["name"],
            "device": model["device"],
        }

    async def health(self) -> JSONResponse:
        """Say whether the service can do its work; 503 when it cannot."""
        parts, problem = self._parts, ""
        counts: dict[State, int] = {}
        try:
            counts = await parts.board.call(parts.board.store.counts, KIND)
            await parts.model_ready()
        except Exception as error:  # a health check reports, whatever it is that fails
            problem = str(error)
        model = parts.models.view()
        body = {
            "status": "unhealthy" if problem else "healthy",
            "message": problem or "the inpaint-service is running",
            "timestamp": iso(time.time()),
            "version": cleanplate.__version__,
            "model": model,
            "uptime_seconds": round(time.time() - self._began, 1),
            "memory_bytes": await asyncio.to_thread(_resident_bytes),
            "tasks": {state.value: number for state, number in counts.items()},
            "waiting_requests": parts.lane.waiting,
            "last_error": parts.models.fallback or None,
        }
        return JSONResponse(body, 503 if problem else 200)

    async def model(self, owner: Owner) -> dict[str, Any]:
        """Describe the service's own model, in this service's words and in IOPaint's."""
        model = self._parts.models.view()
        return {**model_info(str(model["name"])), **model}

    async def info(self, owner: Owner) -> dict[str, Any]:
        """Say what the service can do, and its limits."""
        settings = self._parts.settings
        return {
            "name": "cleanplate inpaint-service",
            "version": cleanplate.__version__,
            "model": self._parts.models.view(),
            "capabilities": ["inpaint", "inpaint-regions", "async", "websocket-progress", "mask", "callback"],
            "limits": {
                "max_image_size": settings.max_image_size,
                "max_file_size": settings.max_file_size,
                "max_pixels": settings.max_pixels,
                "max_regions": settings.max_regions,
                "request_timeout": settings.request_timeout,
                "queue_limit": settings.queue_limit,
                "supported_formats": FORMATS,
            },
            "models": await asyncio.to_thread(self._parts.models.usable),
        }

    async def inpaint(self, request: Request, owner: Owner) -> Response:
        """Repaint where `mask` is white: base64 in JSON, or the files `image` and `mask` and JSON in `params`."""
        return self._picture(await self._erase(await self._order(request, Params, mask=True)))

    async def inpaint_regions(self, request: Request, owner: Owner) -> Response:
        """Repaint the regions."""
        order = await self._order(request, Params)
        return self._picture(await self._erase(order), len(order.regions))

    async def inpaint_json(self, request: Request, owner: Owner) -> dict[str, Any]:
        """Repaint the regions and answer with figures, and with the picture when `include_image` is set."""
        order = await self._order(request, JsonParams)
        outcome = await self._erase(order)
        body: dict[str, Any] = {
            "success": True,
            "message": f"{len(order.regions)} regions repainted",
            "processing_stats": {
                "regions_processed": len(order.regions),
                "total_area": outcome.area_px,
                "processing_time": round(outcome.seconds, 4),
                "image_dimensions": {"width": outcome.size[1], "height": outcome.size[0]},
                "regions": [region.model_dump() for region in outcome.regions],
                "seed": outcome.seed,
                "ignored": list(outcome.ignored),
                "frames": outcome.frames,
            },
            "timestamp": iso(time.time()),
        }
        if isinstance(order.params, JsonParams) and order.params.include_image:
            body["image"] = await asyncio.to_thread(lambda: base64.b64encode(outcome.encoded.data).decode())
        return body

    async def inpaint_async(self, request: Request, owner: Owner) -> dict[str, Any]:
        """Start a task: its progress is told over WebSockets, its picture is at task-result."""
        parts = self._parts
        order = await self._order(request, TaskParams)
        params = order.params
        assert isinstance(params, TaskParams)
        new, files = await asyncio.to_thread(self._checked, order, params.task_id or new_id(), owner)
        if params.callback_url is not None:
            parts.outbound.check(str(params.callback_url), "callback_url")
        then = [] if params.callback_url is None else [callbacks.promise(new, str(params.callback_url))]
        job, _ = await parts.board.submit(new, files, then)
        ahead = await parts.board.call(parts.board.store.position, job)
        task_s = parts.pace.task_s
        return {
            "task_id": job.id,
            "status": "pending",
            "message": "the task is queued",
            "estimated_time": None if task_s is None else round(task_s * (1 + ahead / parts.settings.slots), 2),
            "websocket_url": parts.links.websocket(request, f"/api/v1/ws/progress/{job.id}"),
            "status_url": parts.links.http(request, f"/api/v1/task-status/{job.id}"),
            "result_url": parts.links.http(request, result_url_path(job.id)),
        }

    async def task_status(self, task_id: str, request: Request, owner: Owner) -> dict[str, Any]:
        """Say where a task stands."""
        job = await self._parts.board.get(task_id, owner)
        view = task_view(job, time.time())
        if job.state is State.SUCCEEDED:
            view["result_url"] = self._parts.links.http(request, result_url_path(job.id))
            view["regions"] = (job.result or {}).get("regions", [])
        return view

    async def task_result(self, task_id: str, owner: Owner) -> Response:
        """Return a task's picture; 409 while it runs, 410 after its retention."""
        board = self._parts.board
        job = await board.get(task_id, owner)
        if job.state in ACTIVE:
            raise NotReady(f"the task is {job.state.value}", state=job.state.value)
        if job.result is None:
            reason = job.error["detail"] if job.error else "there is no picture"
            raise Conflict(f"the task is {job.state.value}: {reason}", state=job.state.value)
        data = await board.call(board.files.get, job.id, RESULT)
        regions, at = len(job.result["regions"]), iso(job.finished_at)
        return picture(data, job.result, job.id, regions, at, self._stood_in_for(job.result["model"]))

    async def cancel_task(self, task_id: str, owner: Owner) -> dict[str, Any]:
        """Cancel a task: the step at work is its last. 409 when it has ended already."""
        await self._parts.board.get(task_id, owner)
        job = await self._parts.board.cancel(task_id)
        return {"task_id": job.id, "status": "cancelled", "message": "the task was cancelled"}

    async def tasks(self, owner: Owner) -> dict[str, Any]:
        """Count the tasks and name those that have not ended."""
        board = self._parts.board
        counts = await board.call(board.store.counts, KIND, seen_by(owner))
        active = await board.call(
            board.store.list_jobs, kind=KIND, owner=seen_by(owner), states=tuple(ACTIVE), before=None, limit=IDS_SHOWN
        )
        return {
            "total_tasks": sum(counts.values()),
            "active_tasks": counts[State.QUEUED] + counts[State.RUNNING],
            "completed_tasks": counts[State.SUCCEEDED],
            "error_tasks": counts[State.FAILED],
            "cancelled_tasks": counts[State.CANCELLED],
            "active_task_ids": [job.id for job in active],
            "queued_tasks": counts[State.QUEUED],
            "queue_limit": board.queue_limit,
        }

    async def mask(self, request: Request, owner: Owner) -> Response:
        """Return the mask that the regions give, as a PNG, without repainting."""
        order = await self._order(request, Params)
        return await self._parts.lane.run(lambda: self._mask(order), self._parts.settings.request_timeout)

    def _mask(self, order: Order) -> Response:
        mask = self._parts.eraser.mask_of_regions(order)
        headers = {
            "Content-Disposition": 'inline; filename="mask.png"',
            "X-Regions-Count": str(len(order.regions)),
            "X-Total-Area": str(masks.area_px(mask)),
            "X-Timestamp": iso(time.time()) or "",
            "X-Mask-Mode": order.params.mask_mode,
        }
        return Response(png.write(mask[:, :, None]), media_type="image/png", headers=headers)

    def _picture(self, outcome: Outcome, regions: int | None = None) -> Response:
        done, at = told(outcome), iso(time.time())
        regions = len(outcome.regions) if regions is None else regions
        return picture(outcome.encoded.data, done, "clean", regions, at, self._stood_in_for(outcome.model))

    def _stood_in_for(self, model: str) -> str:
        """Return the service's model where this one stands in for it, else nothing."""
        models = self._parts.models
        return self._parts.settings.model if models.fallback and model == models.name else ""

    def _checked(self, order: Order, task_id: str, owner: str) -> tuple[NewJob, dict[str, bytes]]:
        """Return the order as a task.

        What would fail later is refused at once: an unreadable header, a region outside, a model that is not there.
        """
        header = probe(order.image, self._parts.settings.picture_limits())
        try:
            masks.check_regions(order.regions, (header.height, header.width))
        except RegionOutside:
            if header.format != "PNG":  # the one kind whose header may come before its orientation
                raise
            masks.check_regions(order.regions, self._parts.eraser.open(order).size)
        self._parts.models.check(order.params.model)
        return new_task(order, task_id, owner)

    async def _order(self, request: Request, params: type[Params], *, mask: bool = False) -> Order:
        settings = self._parts.settings
        upload = await read_upload(request, settings.body_timeout_s)
        limits, most = settings.picture_limits(), 0 if mask else settings.max_regions
        return await asyncio.to_thread(read_order, upload, params, limits, max_regions=most, mask=mask)

    async def _erase(self, order: Order) -> Outcome:
        parts = self._parts
        if not parts.models.started:
            raise EngineUnavailable("the model is being loaded", retry_after_s=2)
        await parts.loads.wait(order.params.model, parts.settings.request_timeout)
        gone = threading.Event()
        try:
            return await parts.lane.run(lambda: parts.eraser.erase(order, gone.is_set), parts.settings.request_timeout)
        finally:
            gone.set()


def _resident_bytes() -> int | None:
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return None
