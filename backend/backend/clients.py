"""The two services as the pipeline calls them: over HTTP with aiohttp, with patience for one that is down or busy."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel

from cleanplate.contract import problems
from cleanplate.contract.messages import Detection
from cleanplate.contract.problems import Problem, UpstreamFailed
from cleanplate.runtime import logs

T = TypeVar("T")

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0

OnRetry = Callable[[str, str], Awaitable[None]]
"""Is told the service's name and why it has to be asked again."""


class Refused(Problem):
    """The service refused the request."""

    def __init__(self, status: int, code: str, detail: str, **more: Any):
        super().__init__(detail, **more)
        self.given_status = status
        self.given_code = code


class ServiceClient:
    """One service. What fails for the moment is tried again until `patience_s` is over."""

    def __init__(
        self, name: str, url: str, key: str, session: aiohttp.ClientSession, patience_s: float, timeout_s: float
    ):
        self.name = name
        self.url = url.rstrip("/")
        self.session = session
        self._key = key
        self._patience_s = patience_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=10)

    def headers(self) -> dict[str, str]:
        """Return the headers of every call: the key, and the trace it belongs to."""
        headers = {"traceparent": logs.traceparent.get()} if logs.traceparent.get() else {}
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    async def get(self, path: str) -> bytes:
        """Return the body of a GET. One attempt. Raises Refused, UpstreamFailed."""
        return await self._once("GET", path, None)

    async def post(self, path: str, make_body: Callable[[], Any] = lambda: None) -> bytes:
        """Return the body of a POST. One attempt. Raises Refused, UpstreamFailed."""
        return await self._once("POST", path, make_body())

    async def patiently(self, call: Callable[[], Awaitable[T]], on_retry: OnRetry) -> T:
        """Make the call until it works, is refused for good, or patience is over.

        Raises:
            Refused: the service will not do this.
            UpstreamFailed: it failed for longer than the patience lasts.
        """
        began, pause_s = time.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                return await call()
            except Problem as problem:
                if not problem.retryable:
                    raise
                wait_s = max(pause_s * random.uniform(0.75, 1.25), problem.retry_after_s or 0.0)
                if time.monotonic() - began + wait_s > self._patience_s:
                    raise UpstreamFailed(f"{self.name}: {problem.detail}") from problem
                await on_retry(self.name, problem.detail)
            await asyncio.sleep(wait_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _once(self, method: str, path: str, body: Any) -> bytes:
        try:
            async with self.session.request(
                method, self.url + path, data=body, headers=self.headers(), timeout=self._timeout, allow_redirects=False
            ) as response:
                data = await response.read()
                if response.status >= 300:
                    raise _refusal(self.name, response, data)
                return data
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UpstreamFailed(f"{self.name} does not answer: {type(error).__name__} {error}".strip()) from None


def _refusal(name: str, response: aiohttp.ClientResponse, data: bytes) -> Problem:
    try:
        body = json.loads(data)
    except ValueError:
        body = {}
    detail = str(body.get("detail") or body.get("errorMsg") or response.reason) if isinstance(body, dict) else ""
    code = str(body.get("code", "")) if isinstance(body, dict) else ""
    if response.status >= 500 or response.status == 429:
        given = response.headers.get("Retry-After", "")
        return UpstreamFailed(
            f"{name} answered {response.status}: {detail}", retry_after_s=float(given) if given.isdigit() else None
        )
    field = body.get("field") if isinstance(body, dict) else None
    known = next((cls for cls in _all_problems() if cls.code == code and cls.status == response.status), None)
    if known is not None:
        return known(detail, field=field)
    return Refused(response.status, code, f"{name} answered {response.status}: {detail}", field=field)


def _all_problems() -> list[type[Problem]]:
    return [cls for cls in vars(problems).values() if isinstance(cls, type) and issubclass(cls, Problem)]


class OcrClient(ServiceClient):
    """The ocr-service."""

    async def detect(self, image: bytes, engine: str | None) -> Detection:
        """Return the text of a picture."""
        params = {"engine": engine} if engine else {}
        return Detection.model_validate_json(await self.post("/v1/detect", lambda: _form(image, params)))


class InpaintClient(ServiceClient):
    """The inpaint-service."""

    async def mask(self, image: bytes, regions: Sequence[BaseModel], params: dict[str, Any]) -> bytes:
        """Return the mask of the regions as a PNG."""
        told = {**params, "regions": _told(regions)}
        return await self.post("/api/v1/mask", lambda: _form(image, told))

    async def submit(self, image: bytes, regions: Sequence[BaseModel], params: dict[str, Any], task_id: str) -> None:
        """Start a task, or find the one that has this id."""
        told = {**params, "regions": _told(regions), "task_id": task_id, "progress_interval": 0}
        await self.post("/api/v1/inpaint-regions-async", lambda: _form(image, told))

    async def status(self, task_id: str) -> dict[str, Any]:
        """Return the task's status."""
        status: dict[str, Any] = json.loads(await self.get(f"/api/v1/task-status/{task_id}"))
        return status

    async def result(self, task_id: str) -> bytes:
        """Return the task's picture."""
        return await self.get(f"/api/v1/task-result/{task_id}")

    async def cancel(self, task_id: str) -> None:
        """Cancel the task."""
        await self.post(f"/api/v1/cancel-task/{task_id}")


def _told(regions: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [region.model_dump(mode="json", include={"id", "polygon", "score"}) for region in regions]


def _form(image: bytes, params: dict[str, Any]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("image", image, filename="image", content_type="application/octet-stream")
    form.add_field("params", json.dumps(params), content_type="application/json")
    return form
