"""Every error that a client can be told of. A class carries its code, HTTP status and whether a retry helps.

Problem
├── Invalid             422  a field is missing, malformed or out of range
│   ├── Malformed       400  the body or the picture in it cannot be read at all
│   ├── RegionOutside   422  a region does not touch the picture
│   ├── AddressRefused  422  a URL leads where this service must not go
│   └── FetchFailed     422  a URL gives nothing: no answer, a late one, or one that says no
├── TooLarge            413  a body, picture, page or region count over its limit
├── UnsupportedMedia    415  not a kind of file this service reads
├── Unauthorized        401  no key, or a wrong one
├── Forbidden           403  a caller that may not do this
├── NotFound            404  no such job, task, route or file
├── SlowBody            408  the request's body did not arrive in time
├── Conflict            409  the state of the job does not allow it
│   ├── IdConflict      409  the id or idempotency key belongs to a different request
│   ├── NotReady        409  the result is not there yet
│   └── Finished        409  the job has already ended
├── Expired             410  the result was there and is past its retention
├── QueueFull           429  too many jobs wait
├── EngineBusy          429  too many calls wait for the engine
├── TooManyAttempts     429  somebody guesses passwords
├── EngineUnavailable   503  the engine or model cannot be used now
│   └── EngineUnusable  503  it cannot be used here, its files being missing or broken; no retry helps
├── MemoryShort         503  there is too little free memory to begin
├── StoreBusy           503  the job store is locked or away
├── StorageFull         507  there is no room left to keep what was sent
├── UpstreamFailed      502  another service failed for longer than the retries last
│   ├── BadUpstream     502  its answer makes no sense
│   └── UpstreamRefused 502  it does not take our key or our request; no retry helps
├── TimedOut            504  the work took longer than the limit
└── Internal            500  a defect; the log has the traceback under the request's id
"""

from __future__ import annotations

from typing import Any, ClassVar


class Problem(Exception):
    """The request could not be carried out."""

    code: ClassVar[str] = "problem"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, field: str | None = None, retry_after_s: float | None = None, **extra: Any):
        self.detail = detail or type(self).title()
        self.field = field
        self.retry_after_s = retry_after_s
        self.extra = extra
        super().__init__(self.detail)

    @classmethod
    def title(cls) -> str:
        """Return the class's public message: the first line of its docstring."""
        return (cls.__doc__ or cls.code).strip().splitlines()[0]

    def body(self, instance: str | None = None) -> dict[str, Any]:
        """Return the members of an RFC 9457 problem, with `code`, `retryable`, `field` and extras beside them."""
        body = {
            "type": f"urn:cleanplate:problem:{self.code}",
            "title": self.title(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.retryable,
            "field": self.field,
            "instance": instance,
            **self.extra,
        }
        return {key: value for key, value in body.items() if value is not None}


def known(code: str, otherwise: type[Problem] = Problem) -> type[Problem]:
    """Return the class that has this code."""
    left = Problem.__subclasses__()
    while left:
        cls = left.pop(0)
        if cls.code == code:
            return cls
        left += cls.__subclasses__()
    return otherwise


class Invalid(Problem):
    """A field of the request is missing, malformed or out of range."""

    code, status = "invalid", 422


class Malformed(Invalid):
    """The body, or the picture in it, cannot be read."""

    code, status = "malformed", 400


class RegionOutside(Invalid):
    """A region does not touch the picture or has no area."""

    code = "region_outside"


class AddressRefused(Invalid):
    """The URL leads to an address that this service must not reach."""

    code = "address_refused"


class FetchFailed(Invalid):
    """What the URL leads to could not be fetched."""

    code, retryable = "fetch_failed", True


class TooLarge(Problem):
    """The request is larger than a limit of this service."""

    code, status = "too_large", 413


class UnsupportedMedia(Problem):
    """This kind of file is not read here."""

    code, status = "unsupported_media", 415


class Unauthorized(Problem):
    """A valid API key is needed."""

    code, status = "unauthorized", 401


class Forbidden(Problem):
    """This caller may not do this."""

    code, status = "forbidden", 403


class NotFound(Problem):
    """There is no such thing here."""

    code, status = "not_found", 404


class SlowBody(Problem):
    """The request's body did not arrive in time."""

    code, status, retryable = "slow_body", 408, True


class Conflict(Problem):
    """The state of the job does not allow this."""

    code, status = "conflict", 409


class IdConflict(Conflict):
    """The id or idempotency key already belongs to a different request."""

    code = "id_conflict"


class NotReady(Conflict):
    """The result is not there yet."""

    code, retryable = "not_ready", True


class Finished(Conflict):
    """The job has already ended."""

    code = "finished"


class Expired(Problem):
    """The result is past its retention and was removed."""

    code, status = "expired", 410


class QueueFull(Problem):
    """Too many jobs wait already; try again later."""

    code, status, retryable = "queue_full", 429, True


class EngineBusy(Problem):
    """Too many calls wait for the engine already; try again later."""

    code, status, retryable = "engine_busy", 429, True


class TooManyAttempts(Problem):
    """Too many passwords were tried; try again later."""

    code, status, retryable = "too_many_attempts", 429, True


class EngineUnavailable(Problem):
    """The engine or model cannot be used now."""

    code, status, retryable = "engine_unavailable", 503, True


class EngineUnusable(EngineUnavailable):
    """The engine or model cannot be used here."""

    code, retryable = "engine_unusable", False


class MemoryShort(Problem):
    """There is too little free memory to begin this; try again later."""

    code, status, retryable = "memory_short", 503, True


class StoreBusy(Problem):
    """The job store does not answer; try again later."""

    code, status, retryable = "store_busy", 503, True


class StorageFull(Problem):
    """There is no room left to keep this; try again later."""

    code, status, retryable = "storage_full", 507, True


class UpstreamFailed(Problem):
    """Another service failed for longer than the retries last."""

    code, status, retryable = "upstream_failed", 502, True


class BadUpstream(UpstreamFailed):
    """Another service gave an answer that makes no sense."""

    code = "bad_upstream"


class UpstreamRefused(UpstreamFailed):
    """Another service refuses what this one asks of it."""

    code, retryable = "upstream_refused", False


class TimedOut(Problem):
    """The work took longer than its limit."""

    code, status, retryable = "timed_out", 504, True


class Internal(Problem):
    """Something went wrong inside; the log has the details under the request's id."""

    code, status, retryable = "internal", 500, True
