"""What is asked of a backend, as generators without I/O.

A flow yields what shall be done, is sent what came of it, and returns what was wanted. A try that failed is thrown into
it as a ClientError.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import httpx

from cleanplate.client.errors import ClientError, JobFailed, NotUnderstood, Refused
from cleanplate.client.results import Result
from cleanplate.client.retries import Retries
from cleanplate.client.sources import Source, is_url, read
from cleanplate.client.views import FINAL, Region, View

API = "/api/v1/jobs"
T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A request to make, once; what comes of it is the answer, or a ClientError."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    data: Mapping[str, Any] | None = None
    files: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Pause:
    """Time to let go by after a try that failed."""

    seconds: float
    error: ClientError


@dataclass(frozen=True)
class Work:
    """A function that blocks; what comes of it is its value."""

    function: Callable[[], Any]


Step: TypeAlias = Call | Pause | Work
Flow: TypeAlias = Generator[Step, Any, T]


class Flows:
    """The flows of one client.

    Args:
        retries: how often a request is tried again.
        wait_s: for how long a backend may keep a question for the end of a job.
    """

    def __init__(self, retries: int, wait_s: float):
        self._retries = retries
        self._wait_s = wait_s

    def ask(self, call: Call) -> Flow[httpx.Response]:
        """Return the answer, after as many tries as are allowed."""
        retries = Retries(self._retries)
        while True:
            try:
                answer: httpx.Response = yield call
            except ClientError as error:
                yield Pause(retries.pause_s(error), error)
            else:
                return answer

    def submit(self, source: Source, name: str | None, key: str, options: Mapping[str, Any]) -> Flow[View]:
        """Return the job of a picture; however often that has to be tried, the key makes it one."""
        call = Call("POST", API, headers={"Idempotency-Key": key})
        if is_url(source):
            return _view((yield from self.ask(replace(call, json={"url": source, "options": options}))))
        upload = yield Work(partial(read, source, name))
        form = {"options": json.dumps(options)}
        return _view((yield from self.ask(replace(call, data=form, files={"file": upload}))))

    def view(self, job_id: str, wait_s: float = 0.0) -> Flow[View]:
        """Return the job; with `wait_s`, when it has ended or that time is over."""
        return _view((yield from self.ask(Call("GET", path(job_id), {"wait": wait_s}))))

    def ended(self, view: View) -> Flow[View]:
        """Return the job once it has ended."""
        while view["status"] not in FINAL:
            view = yield from self.view(view["job_id"], self._wait_s)
        return view

    def result(self, view: View, page: int | None) -> Flow[Result]:
        """Return what the job made, once it has ended. Raises JobFailed."""
        view = yield from self.ended(view)
        if view["status"] != "succeeded":
            raise JobFailed(view)
        answer = yield from self._file(view, "result", page)
        return Result(answer.content, answer.headers.get("content-type", ""), view)

    def mask(self, view: View, page: int | None) -> Flow[bytes]:
        """Return the mask, once the job has ended."""
        return (yield from self._file(view, "mask", page)).content

    def regions(self, view: View, page: int | None) -> Flow[list[Region]]:
        """Return the regions, once the job has ended."""
        regions: list[Region] = _members((yield from self._file(view, "regions", page))).get("regions", [])
        return regions

    def cancel(self, job_id: str) -> Flow[View]:
        """Cancel the job; one that was cancelled stays so."""
        return (yield from self._change(job_id, "cancel", frozenset({"cancelled"})))

    def retry(self, job_id: str) -> Flow[View]:
        """Queue a failed job again, or one with failed pages; one that is under way stays so."""
        return (yield from self._change(job_id, "retry", frozenset({"queued", "running"})))

    def delete(self, job_id: str) -> Flow[None]:
        """Remove the job and its files; one that was removed stays so."""
        try:
            yield from self.ask(Call("DELETE", path(job_id)))
        except Refused as refused:
            if refused.status != httpx.codes.GONE:
                raise

    def page(self, status: str | None, after: str | None) -> Flow[tuple[list[View], str | None]]:
        """Return some jobs, newest first, and the cursor of those that follow."""
        params = {name: given for name, given in (("status", status), ("after", after)) if given is not None}
        body = _members((yield from self.ask(Call("GET", API, params))))
        return body.get("jobs", []), body.get("next")

    def _file(self, view: View, name: str, page: int | None) -> Flow[httpx.Response]:
        yield from self.ended(view)
        params = {} if page is None else {"page": page}
        return (yield from self.ask(Call("GET", path(view["job_id"], name), params)))

    def _change(self, job_id: str, verb: str, reached: frozenset[str]) -> Flow[View]:
        """Change the job's state; a first try that got through while its answer did not is no failure of the second."""
        try:
            return _view((yield from self.ask(Call("POST", path(job_id, verb)))))
        except Refused as refused:
            if refused.status != httpx.codes.CONFLICT:
                raise
            view = yield from self.view(job_id)
            if view["status"] not in reached:
                raise
            return view


def path(job_id: str, *more: str) -> str:
    """Return where a job is, whatever is taken for its id."""
    return "/".join((API, quote(job_id, safe=""), *more))


def _view(answer: httpx.Response) -> View:
    body = _members(answer)
    if not {"job_id", "status"} <= body.keys():
        raise NotUnderstood(f"{answer.url} does not answer with a job")
    view: View = body  # type: ignore[assignment]
    return view


def _members(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise NotUnderstood(f"{answer.url} does not answer with a JSON object")
    return body
