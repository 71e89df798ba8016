"""The client that blocks. What it does is in `flows` and `log`."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from cleanplate.client.connections import Connection
from cleanplate.client.errors import ClientError, refusal, translated
from cleanplate.client.flows import Call, Flow, Flows, Pause, Step, T
from cleanplate.client.log import Log
from cleanplate.client.results import Result
from cleanplate.client.sources import Source
from cleanplate.client.views import Event, Region, Status, View


class Client:
    """A backend.

    Args:
        url: where it answers.
        key: the API key, where it wants one.
        timeout: seconds for which one answer may keep silent.
        retries: how often a request is tried again that got no answer, or 429, 502, 503 or 504.
        on_retry: is told of each try that failed and is made again.
        transport: another way to the backend than the network, as httpx has them.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: int = 8,
        on_retry: Callable[[ClientError], None] = lambda error: None,
        transport: httpx.BaseTransport | None = None,
    ):
        self._connection = Connection(url, key, timeout)
        self._http = httpx.Client(**self._connection.options(), transport=transport)
        self._retries = retries
        self._on_retry = on_retry
        self._flows = Flows(retries, self._connection.wait_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; jobs go on."""
        self._http.close()

    def submit(
        self, source: Source, *, name: str | None = None, idempotency_key: str | None = None, **options: Any
    ) -> Job:
        """Hand over a picture or document and return its job.

        Args:
            source: its path, its bytes, an open file, or a URL that the backend fetches.
            name: is shown for it; by default that of the file.
            idempotency_key: finds the first job again that was submitted with it; by default there is none.
            options: see docs/api.md; a name that the backend does not know is refused.

        Raises:
            ClientError: it was not submitted.
            OSError: the file cannot be read.
        """
        key = idempotency_key or uuid.uuid4().hex
        return Job(self, self._run(self._flows.submit(source, name, key, options)))

    def erase(self, source: Source, **options: Any) -> Result:
        """Submit, wait, and return what was made. Raises ClientError, OSError."""
        return self.submit(source, **options).result()

    def job(self, job_id: str) -> Job:
        """Return a job by its id. Raises ClientError."""
        return Job(self, self._run(self._flows.view(job_id)))

    def jobs(self, status: Status | None = None) -> Iterator[Job]:
        """Yield the caller's jobs, newest first. Raises ClientError."""
        after = None
        while True:
            views, after = self._run(self._flows.page(status, after))
            yield from (Job(self, view) for view in views)
            if after is None:
                return

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._do(step)
                except ClientError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value

    def _do(self, step: Step) -> Any:
        if isinstance(step, Call):
            with translated(self._connection.url):
                answer = self._http.request(**self._connection.request(step))
            if not answer.is_success:
                raise refusal(answer)
            return answer
        if isinstance(step, Pause):
            self._on_retry(step.error)
            return time.sleep(step.seconds)
        return step.function()

    @contextmanager
    def _stream(self, call: Call) -> Iterator[Iterator[str]]:
        request = self._connection.request(call, stream=True)
        with translated(self._connection.url), self._http.stream(**request) as answer:
            if not answer.is_success:
                answer.read()
                raise refusal(answer)
            yield answer.iter_text()

    def _events(self, job_id: str, after: int) -> Generator[Event]:
        log = Log(self._flows, job_id, after, self._retries)
        while not log.over:
            error = None
            try:
                with self._stream(log.call()) as pieces:
                    for piece in pieces:
                        yield from log.hear(piece)
            except ClientError as caught:
                error = caught
            self._run(log.end(error))


class Job:
    """A job of a backend; `view` is what was last seen of it. Every method raises ClientError."""

    def __init__(self, client: Client, view: View):
        self._client = client
        self._flows = client._flows
        self.view = view
        self.id = view["job_id"]

    @property
    def status(self) -> Status:
        return self.view["status"]

    def refresh(self) -> View:
        """Look at it and return the view."""
        self.view = self._client._run(self._flows.view(self.id))
        return self.view

    def wait(self) -> View:
        """Return the view once the job has ended, however that was."""
        self.view = self._client._run(self._flows.ended(self.view))
        return self.view

    def events(self, after: int = 0) -> Generator[Event]:
        """Yield the log from after that `seq` on, as it grows, and end with the job; connections may drop meanwhile."""
        return self._client._events(self.id, after)

    def result(self, page: int | None = None) -> Result:
        """Wait for the end and return what was made, or one page of it. Raises JobFailed when that is nothing."""
        made = self._client._run(self._flows.result(self.view, page))
        self.view = made.view
        return made

    def mask(self, page: int | None = None) -> bytes:
        """Wait for the end and return the mask, a PNG that is white where the picture, or the page, was repainted."""
        return self._client._run(self._flows.mask(self.view, page))

    def regions(self, page: int | None = None) -> list[Region]:
        """Wait for the end and return the text that was found, in a document that of a page."""
        return self._client._run(self._flows.regions(self.view, page))

    def cancel(self) -> View:
        """Cancel it: the unit at work is the last."""
        self.view = self._client._run(self._flows.cancel(self.id))
        return self.view

    def retry(self) -> View:
        """Queue it again, after it or some of its pages failed; it goes on after the last step that was done."""
        self.view = self._client._run(self._flows.retry(self.id))
        return self.view

    def delete(self) -> None:
        """Remove it with its files; one that still runs is cancelled."""
        self._client._run(self._flows.delete(self.id))
