"""The two services as the pipeline calls them: over HTTP with aiohttp, with patience for one that is down or busy."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel, TypeAdapter

from backend.hints import Hints
from cleanplate.contract import problems
from cleanplate.contract.messages import Detection
from cleanplate.contract.problems import (
    Malformed,
    Problem,
    TooLarge,
    UnsupportedMedia,
    UpstreamFailed,
    UpstreamRefused,
)
from cleanplate.runtime import logs, traces
from cleanplate.runtime.images import PictureLimits, probe

T = TypeVar("T")

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0
ANY_PICTURE = PictureLimits(0, 0, 0)
_STATUS = TypeAdapter(dict[str, Any])

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

    def called(self, method: str, place: str) -> AbstractContextManager[traces.Span]:
        """Record a call; `place` is its path without ids."""
        told = {"http.request.method": method, "service.peer.name": self.name}
        return traces.span(f"{method} {place}", told, kind="client")

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
                asked = "" if problem.retry_after_s is None else f"; it asks to wait {problem.retry_after_s:g} s"
                await on_retry(self.name, problem.detail + asked)
            await asyncio.sleep(wait_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _once(self, method: str, path: str, body: Any) -> bytes:
        with self.called(method, "/".join(path.split("/")[:4])) as span:
            try:
                async with self.session.request(
                    method,
                    self.url + path,
                    data=body,
                    headers=self.headers(),
                    timeout=self._timeout,
                    allow_redirects=False,
                ) as response:
                    span.attributes["http.response.status_code"] = response.status
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
    body = body if isinstance(body, dict) else {}
    detail = str(body.get("detail") or body.get("errorMsg") or response.reason)
    code, field = body.get("code"), body.get("field")
    told = f"{name} answered {response.status}: {detail}"
    if response.status >= 500 and body.get("retryable") is False:
        return UpstreamRefused(told)
    if response.status >= 500 or response.status == 429:
        return UpstreamFailed(told, retry_after_s=_retry_after_s(response.headers.get("Retry-After", "")))
    known = next((cls for cls in _all_problems() if cls.code == code and cls.status == response.status), None)
    if known is not None:
        return known(detail, field=field)
    return Refused(response.status, str(code or ""), told, field=field)


def _retry_after_s(given: str) -> float | None:
    """Return the seconds of a Retry-After header, which says them or a date."""
    if given.isascii() and given.isdigit():
        return float(given[:9])
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except ValueError:
        return None


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Take an answer that says something else than it should for a failure of the moment, as a proxy's page is."""
    try:
        yield
    except (ValueError, Malformed, UnsupportedMedia, TooLarge) as error:
        raise UpstreamFailed(f"{name} answered what cannot be read: {type(error).__name__}") from error


def _all_problems() -> list[type[Problem]]:
    return [cls for cls in vars(problems).values() if isinstance(cls, type) and issubclass(cls, Problem)]


class OcrClient(ServiceClient):
    """The ocr-service."""

    async def detect(self, image: bytes, params: dict[str, Any]) -> Detection:
        """Return the text of a picture."""
        answer = await self.post("/v1/detect", lambda: _form(image, params))
        with _readable(self.name):
            return Detection.model_validate_json(answer)


class InpaintClient(ServiceClient):
    """The inpaint-service. It is asked to call back at this address, if there is one; what it says there are hints."""

    def __init__(
        self, name: str, url: str, key: str, session: aiohttp.ClientSession, patience_s: float, timeout_s: float,
        *, hints: Hints | None = None, callback_url: str = "",
    ):  # fmt: skip
        super().__init__(name, url, key, session, patience_s, timeout_s)
        self.hints = Hints() if hints is None else hints
        self._callback_url = callback_url.rstrip("/")

    async def mask(self, image: bytes, regions: Sequence[BaseModel], params: dict[str, Any]) -> bytes:
        """Return the mask of the regions as a PNG."""
        told = {**params, "regions": _told(regions)}
        return await self._picture(await self.post("/api/v1/mask", lambda: _form(image, told)))

    async def submit(self, image: bytes, regions: Sequence[BaseModel], params: dict[str, Any], task_id: str) -> None:
        """Start a task, or find the one that has this id."""
        told = {**params, "regions": _told(regions), "task_id": task_id, "progress_interval": 0}
        if self._callback_url:
            told["callback_url"] = f"{self._callback_url}/api/v1/iopaint/callback/{task_id}"
        await self.post("/api/v1/inpaint-regions-async", lambda: _form(image, told))

    async def status(self, task_id: str) -> dict[str, Any]:
        """Return the task's status."""
        answer = await self.get(f"/api/v1/task-status/{task_id}")
        with _readable(self.name):
            return _STATUS.validate_json(answer)

    async def result(self, task_id: str) -> bytes:
        """Return the task's picture."""
        return await self._picture(await self.get(f"/api/v1/task-result/{task_id}"))

    async def cancel(self, task_id: str) -> None:
        """Cancel the task."""
        await self.post(f"/api/v1/cancel-task/{task_id}")

    async def _picture(self, data: bytes) -> bytes:
        with _readable(self.name):
            await asyncio.to_thread(probe, data, ANY_PICTURE)
        return data


def _told(regions: Sequence[BaseModel]) -> list[dict[str, Any]]:
    told = {"id", "polygon", "score", "mask_mode"}
    return [region.model_dump(mode="json", include=told, exclude_none=True) for region in regions]


def _form(image: bytes, params: dict[str, Any]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("image", image, filename="image", content_type="application/octet-stream")
    form.add_field("params", json.dumps(params), content_type="application/json")
    return form
