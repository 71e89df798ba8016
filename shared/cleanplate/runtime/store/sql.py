"""The job store on SQL through SQLAlchemy Core: SQLite in WAL mode by default, another database by its URL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Expired, Finished, IdConflict, Internal, NotFound, QueueFull
from cleanplate.runtime.jobs import ACTIVE, FINAL, TRANSITIONS, Change, Job, LeaseLost, NewJob, State, iso
from cleanplate.runtime.store.schema import cursors, events, forgotten, jobs, metadata

BUSY_TIMEOUT_MS = 15_000
LEASE_EXPIRED = "lease expired"


class SqlStore:
    """See `JobStore`. A write takes the database's write lock first, so reads inside it cannot grow stale."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time):
        self._clock = clock
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = sa.create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
        if parsed.get_backend_name() == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        with self._write() as connection:
            metadata.create_all(connection)

    def submit(self, new: NewJob, queue_limit: int, then: Sequence[NewJob] = ()) -> tuple[Job, bool]:
        with self._write() as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.id == new.id)).first()
            if row is not None:
                job = _job(row)
                if (job.digest, job.owner, job.kind) != (new.digest, new.owner, new.kind):
                    raise IdConflict(f"{new.id} was used for a different request")
                return job, False
            waiting = self._count(connection, new.kind, State.QUEUED)
            if waiting >= queue_limit:
                raise QueueFull(
                    f"{waiting} jobs wait already", retry_after_s=5, queue_length=waiting, limit=queue_limit
                )
            for follower in then:
                self._insert(connection, follower)
            return self._insert(connection, new), True

    def get(self, job_id: str) -> Job:
        with self._engine.connect() as connection:
            return self._get(connection, job_id)

    def list_jobs(
        self, *, kind: str, owner: str | None, states: Sequence[State], before: tuple[float, str] | None, limit: int
    ) -> list[Job]:
        query = sa.select(jobs).where(jobs.c.kind == kind)
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        if states:
            query = query.where(jobs.c.state.in_([state.value for state in states]))
        if before is not None:
            query = query.where(sa.tuple_(jobs.c.created_at, jobs.c.id) < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(query)]

    def counts(self, kind: str, owner: str | None = None) -> dict[State, int]:
        query = sa.select(jobs.c.state, sa.func.count()).where(jobs.c.kind == kind).group_by(jobs.c.state)
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        with self._engine.connect() as connection:
            found = {State(state): int(number) for state, number in connection.execute(query)}
        return {state: found.get(state, 0) for state in State}

    def position(self, job: Job) -> int:
        if job.state is not State.QUEUED:
            return 0
        ahead = sa.or_(
            jobs.c.priority > job.priority, sa.and_(jobs.c.priority == job.priority, jobs.c.created_at < job.created_at)
        )
        with self._engine.connect() as connection:
            return self._count(connection, job.kind, State.QUEUED, ahead)

    def claim(self, kinds: Sequence[str], worker: str, lease_s: float, crash_limit: int) -> Job | None:
        other = jobs.alias()
        held = sa.exists().where(other.c.id == jobs.c.waits_for, other.c.state.in_([state.value for state in ACTIVE]))
        waits = sa.and_(jobs.c.state == State.QUEUED.value, jobs.c.due_at <= self._clock(), ~held)
        abandoned = sa.and_(jobs.c.state == State.RUNNING.value, jobs.c.lease_until < self._clock())
        query = (
            sa.select(jobs)
            .where(jobs.c.kind.in_(kinds), sa.or_(waits, abandoned))
            .order_by(jobs.c.priority.desc(), jobs.c.created_at)
            .limit(1)
        )
        with self._engine.connect() as connection:  # an idle worker's look takes no write lock
            if connection.execute(query).first() is None:
                return None
        with self._write() as connection:
            while (row := connection.execute(query).first()) is not None:
                job = _job(row)
                if job.state is State.RUNNING:
                    requeued = Change("requeued", {"reason": LEASE_EXPIRED}, State.QUEUED)
                    job, _ = self._append(connection, job, requeued)
                if job.crashes >= crash_limit:
                    problem = Internal(f"its worker died {job.crashes} times in a row")
                    self._append(connection, job, Change("failed", problem.body(), State.FAILED, error=problem.body()))
                    continue
                return self._start(connection, job, worker, lease_s)
        return None

    def renew(self, job_id: str, attempt: int, lease_s: float) -> None:
        with self._write() as connection:
            held = sa.and_(jobs.c.id == job_id, jobs.c.attempt == attempt, jobs.c.state == State.RUNNING.value)
            done = connection.execute(sa.update(jobs).where(held).values(lease_until=self._clock() + lease_s))
            if done.rowcount != 1:
                raise LeaseLost(job_id)

    def record(self, job_id: str, change: Change, attempt: int | None = None) -> tuple[Job, Event]:
        with self._write() as connection:
            job = self._get(connection, job_id)
            if attempt is not None and (job.state is not State.RUNNING or job.attempt != attempt):
                raise LeaseLost(job_id)
            return self._append(connection, job, change)

    def events(self, job_id: str, after: int, limit: int) -> list[Event]:
        query = sa.select(events).where(events.c.job_id == job_id, events.c.seq > after).order_by(events.c.seq)
        with self._engine.connect() as connection:
            return [_event(row) for row in connection.execute(query.limit(limit))]

    def events_of_all(self, kind: str, owner: str | None, after: int, limit: int) -> list[Event]:
        query = sa.select(events).where(events.c.position > after, events.c.kind == kind).order_by(events.c.position)
        if owner is not None:
            query = query.where(events.c.owner == owner)
        with self._engine.connect() as connection:
            return [_event(row) for row in connection.execute(query.limit(limit))]

    def last_position(self) -> int:
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.max(events.c.position))).scalar() or 0

    def cursor(self, reader: str) -> int:
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(cursors.c.position).where(cursors.c.reader == reader)).scalar()
        return found or 0

    def move_cursor(self, reader: str, position: int) -> None:
        kept = sa.select(cursors.c.position).where(cursors.c.reader == reader)
        with self._write() as connection:
            furthest = max(position, connection.execute(kept).scalar() or 0)
            connection.execute(sa.delete(cursors).where(cursors.c.reader == reader))
            connection.execute(sa.insert(cursors).values(reader=reader, position=furthest, at=self._clock()))

    def expired(self, finished_before: float, limit: int) -> list[str]:
        query = sa.select(jobs.c.id).where(jobs.c.finished_at < finished_before).order_by(jobs.c.finished_at)
        with self._engine.connect() as connection:
            return list(connection.execute(query.limit(limit)).scalars())

    def forget(self, job_id: str) -> None:
        with self._write() as connection:
            connection.execute(sa.delete(events).where(events.c.job_id == job_id))
            if connection.execute(sa.delete(jobs).where(jobs.c.id == job_id)).rowcount:
                connection.execute(sa.insert(forgotten).values(id=job_id, at=self._clock()))

    def prune(self, removed_before: float) -> None:
        with self._write() as connection:
            for table in (forgotten, cursors):
                connection.execute(sa.delete(table).where(table.c.at < removed_before))

    def check(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def _get(self, connection: sa.Connection, job_id: str) -> Job:
        row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).first()
        if row is not None:
            return _job(row)
        if connection.execute(sa.select(forgotten.c.id).where(forgotten.c.id == job_id)).first() is not None:
            raise Expired(f"{job_id} is past its retention")
        raise NotFound(f"there is no job {job_id}")

    def _count(self, connection: sa.Connection, kind: str, state: State, *more: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(jobs).where(jobs.c.kind == kind, jobs.c.state == state.value)
        return int(connection.execute(query.where(*more)).scalar_one())

    def _insert(self, connection: sa.Connection, new: NewJob) -> Job:
        queued = State.QUEUED
        job = Job(**vars(new), state=queued, seq=0, attempt=0, created_at=self._clock(), stage=queued.value)
        connection.execute(sa.insert(jobs).values(**_columns(job)))
        connection.execute(sa.delete(forgotten).where(forgotten.c.id == new.id))
        return self._append(connection, job, Change("queued"))[0]

    def _start(self, connection: sa.Connection, job: Job, worker: str, lease_s: float) -> Job:
        now = self._clock()
        lease: dict[str, Any] = {"worker": worker, "lease_until": now + lease_s, "attempt": job.attempt + 1}
        lease["started_at"] = job.started_at or now
        connection.execute(sa.update(jobs).where(jobs.c.id == job.id).values(**lease))
        started = Change("started", {"attempt": job.attempt + 1}, State.RUNNING)
        job, _ = self._append(connection, replace(job, **lease), started)
        return job

    def _append(self, connection: sa.Connection, job: Job, change: Change) -> tuple[Job, Event]:
        if change.state is not None and change.state not in TRANSITIONS[job.state]:
            raise Finished(f"the job is {job.state.value}", state=job.state.value)
        now = self._clock()
        changes = {"seq": job.seq + 1, **_changes(job, change, now)}
        data = {**change.data, "progress": changes["progress"]} if "progress" in change.data else change.data
        if change.progress is not None:
            changes["detail"] = data
        job = replace(job, **changes)
        connection.execute(sa.update(jobs).where(jobs.c.id == job.id).values(**{**changes, "state": job.state.value}))
        entry = {"job_id": job.id, "seq": job.seq, "kind": job.kind, "owner": job.owner, "type": change.type}
        insert = sa.insert(events).values(**entry, at=now, data=data).returning(events.c.position)
        position = connection.execute(insert).scalar_one()
        return job, Event(job_id=job.id, seq=job.seq, position=position, type=change.type, at=iso(now) or "", data=data)


def _changes(job: Job, change: Change, now: float) -> dict[str, Any]:
    """Return the fields of the job that the change sets."""
    given = {name: getattr(change, name) for name in ("stage", "result", "error", "state", "due_at")}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    values["progress"] = 1.0 if change.state is State.SUCCEEDED else max(job.progress, change.progress or 0.0)
    if change.checkpoint is not None:
        values |= {"checkpoint": {**job.checkpoint, **change.checkpoint}, "crashes": 0}
    if change.state is None or change.state is State.RUNNING:
        return values
    values |= {"worker": None, "lease_until": None, "finished_at": now if change.state in FINAL else None}
    if job.state is State.FAILED:  # a client's retry
        values |= {"error": None, "crashes": 0}
    if change.data.get("reason") == LEASE_EXPIRED:
        values["crashes"] = job.crashes + 1
    return values


def _columns(job: Job) -> dict[str, Any]:
    return {item.name: getattr(job, item.name) for item in fields(job)} | {"state": job.state.value}


def _job(row: sa.Row[Any]) -> Job:
    return Job(**{**row._mapping, "state": State(row._mapping["state"])})


def _event(row: sa.Row[Any]) -> Event:
    return Event(
        job_id=row.job_id, seq=row.seq, position=row.position, type=row.type, at=iso(row.at) or "", data=row.data
    )


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun by us, so that writes can take the lock at once
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
