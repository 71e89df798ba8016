"""A job and the states it may be in. Pure: no I/O; the store keeps jobs, the dispatcher runs them.

queued ──► running ──► succeeded ──► queued  (only when a client asks for what has failed in it)
  │  ▲        │  ├───► failed ──► queued     (only when a client asks for a retry)
  │  └────────┘  └───► cancelled
  │   lease expired, retry due, or the service stopped
  ├──► cancelled
  └──► failed         (its workers died too often)
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cleanplate.contract.problems import Invalid


class State(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED, State.FAILED}),
    State.RUNNING: frozenset({State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELLED}),
    State.SUCCEEDED: frozenset({State.QUEUED}),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset(),
}
FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
ACTIVE = frozenset(State) - FINAL

SUSPECT = 2
"""A job that was there when so many workers died, without a checkpoint in between, is run alone, and less often."""

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class LeaseLost(Exception):
    """The job was cancelled, or another worker has it: whoever holds it must stop and write nothing more."""


@dataclass(frozen=True)
class NewJob:
    """What a client asks for. `digest` tells whether two submits under one id are the same request.

    A job that `waits_for` another is not begun before that one has ended. Its `traceparent` is that of who asked.
    """

    id: str
    kind: str
    params: dict[str, Any]
    digest: str
    owner: str = ""
    priority: int = 0
    waits_for: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Job:
    """A row of the store. Times are seconds since 1970; `seq` is that of its newest event.

    `attempt` only grows: it tells the worker that holds the job from every earlier one. `crashes` counts the workers
    that died with it since its last checkpoint. It is not begun before `due_at`. `detail` is the data of its newest
    progress event. `files_bytes` is None until its files are measured after its newest event.
    """

    id: str
    kind: str
    owner: str
    state: State
    params: dict[str, Any]
    digest: str
    priority: int
    seq: int
    attempt: int
    created_at: float
    due_at: float = 0.0
    waits_for: str | None = None
    traceparent: str | None = None
    crashes: int = 0
    stage: str = ""
    progress: float = 0.0
    detail: dict[str, Any] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    worker: str | None = None
    lease_until: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    files_bytes: int | None = None

    @property
    def final(self) -> bool:
        return self.state in FINAL


@dataclass(frozen=True)
class Change:
    """One entry for the log, and what changes about the job with it, in the same transaction.

    `progress` (0 to 1) never goes back: the store keeps the larger, until an ended job is retried from where it says.
    `checkpoint` is merged into the job's. A job that is retried keeps its `result` until it has another.
    """

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    state: State | None = None
    stage: str | None = None
    progress: float | None = None
    checkpoint: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    due_at: float | None = None


def new_id() -> str:
    """Return a fresh id that cannot be guessed."""
    return uuid.uuid4().hex


def is_id(value: str) -> bool:
    """Say whether the id is safe in a path and a URL; no job has another."""
    return _SAFE_ID.fullmatch(value) is not None


def checked_id(value: str, field_name: str) -> str:
    """Return the id when it is safe in a path and a URL.

    Raises:
        Invalid: it is not.
    """
    if not is_id(value):
        raise Invalid("use 1 to 100 of A-Z a-z 0-9 . _ -, the first a letter or digit", field=field_name)
    return value


def iso(at: float | None) -> str | None:
    """Return a time in seconds since 1970 as UTC, ISO 8601 with Z."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
