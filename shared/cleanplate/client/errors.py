"""What can go wrong between a client and a backend. A file that cannot be read or written is an OSError, as ever.

ClientError
├── Unreachable    nobody answers, however often it was tried
├── NotUnderstood  what answers is no backend
├── Refused        the backend does not do this; it says why
└── JobFailed      the job has ended without a result
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from cleanplate.client.views import View

PASSING = frozenset({429, 502, 503, 504})
"""The statuses of a refusal that another try may not get."""


class ClientError(Exception):
    """What was asked for did not come to be."""

    passing = False
    retry_after_s: float | None = None


class Unreachable(ClientError):
    """Nobody answers at the URL."""

    passing = True


class NotUnderstood(ClientError):
    """The answer is none of a backend's."""


class Refused(ClientError):
    """The backend does not do this: HTTP `status`, its `code`, why, and which `field` of the request is at fault."""

    def __init__(self, status: int, code: str, detail: str, field: str | None, retry_after_s: float | None = None):
        super().__init__(f"{field}: {detail}" if field else detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.passing = status in PASSING
        self.retry_after_s = retry_after_s


class JobFailed(ClientError):
    """The job has failed or was cancelled; `view` is what the backend shows of it."""

    def __init__(self, view: View):
        error = view.get("error") or {}
        self.view = view
        self.code = str(error.get("code") or view["status"])
        self.detail = str(error.get("detail") or f"the job was {view['status']}")
        super().__init__(f"job {view['job_id']}: {self.detail}")


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raise Unreachable where httpx says that a request did not get through."""
    try:
        yield
    except httpx.RequestError as error:
        raise Unreachable(f"{url} does not answer: {type(error).__name__} {error}".rstrip()) from error


def refusal(response: httpx.Response) -> Refused:
    """Return what an answer that is no success says; its body was read."""
    body = _members(response)
    detail = body.get("detail") or f"answered {response.status_code} {response.reason_phrase}".rstrip()
    given = response.headers.get("retry-after", "")
    after_s = float(given) if given.isascii() and given.isdigit() else None
    return Refused(response.status_code, str(body.get("code", "")), str(detail), body.get("field"), after_s)


def _members(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
