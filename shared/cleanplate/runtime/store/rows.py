"""Between rows of the tables and jobs and events, and what a change makes of a job. Pure: no I/O."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Finished
from cleanplate.runtime.jobs import FINAL, TRANSITIONS, Change, Job, State, iso

LEASE_EXPIRED = "lease expired"
_FIELDS = tuple(each.name for each in fields(Job))


def job_of(row: sa.Row[Any]) -> Job:
    """Return the job of a row with all its columns."""
    values = {name: row._mapping[name] for name in _FIELDS}
    return Job(**{**values, "state": State(values["state"])})


def event_of(row: sa.Row[Any]) -> Event:
    """Return the event of a row with all its columns."""
    return Event(
        job_id=row.job_id, seq=row.seq, position=row.position, type=row.type, at=iso(row.at) or "", data=row.data
    )


def columns(job: Job) -> dict[str, Any]:
    """Return the row of a job."""
    return {name: getattr(job, name) for name in _FIELDS} | {"state": job.state.value}


def entry(job: Job, type_: str, at: float, data: dict[str, Any]) -> dict[str, Any]:
    """Return the row of the event that is the job's newest; the store gives it its position."""
    return {
        "job_id": job.id, "seq": job.seq, "kind": job.kind, "owner": job.owner, "type": type_, "at": at, "data": data
    }  # fmt: skip


def changed(job: Job, change: Change, now: float) -> dict[str, Any]:
    """Return the fields of the job that the change sets.

    Raises:
        Finished: the job has ended, or its state does not allow the change.
    """
    if change.state is not None and change.state not in TRANSITIONS[job.state]:
        raise Finished(f"the job is {job.state.value}", state=job.state.value)
    given = {name: getattr(change, name) for name in ("stage", "result", "error", "state", "due_at")}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    values |= {"seq": job.seq + 1, "files_bytes": None}
    values["progress"] = 1.0 if change.state is State.SUCCEEDED else max(job.progress, change.progress or 0.0)
    if change.checkpoint is not None:
        values |= {"checkpoint": {**job.checkpoint, **change.checkpoint}, "crashes": 0}
    if change.state is not None and change.state is not State.RUNNING:
        values |= _let_go(job, change, now)
    if change.progress is not None:
        values["detail"] = data_of(change, values["progress"])
    return values


def data_of(change: Change, progress: float) -> dict[str, Any]:
    """Return the data of the change's event, with the progress that the job has."""
    return {**change.data, "progress": progress} if "progress" in change.data else change.data


def _let_go(job: Job, change: Change, now: float) -> dict[str, Any]:
    """Return what a job has that no worker holds any more."""
    values: dict[str, Any] = {"worker": None, "lease_until": None}
    values["finished_at"] = now if change.state in FINAL else None
    if job.state in FINAL:  # a client's retry
        values |= {"error": None, "crashes": 0, "started_at": None}
        values["progress"] = job.progress if change.progress is None else change.progress
    if change.data.get("reason") == LEASE_EXPIRED:
        values["crashes"] = job.crashes + 1
    return values
