"""The job store on SQL through SQLAlchemy Core: SQLite in WAL mode by default, PostgreSQL by its URL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import (
    Expired,
    Finished,
    IdConflict,
    Internal,
    NotFound,
    QueueFull,
    StorageFull,
    StoreBusy,
)
from cleanplate.runtime.jobs import ACTIVE, FINAL, SUSPECT, TRANSITIONS, Change, Job, LeaseLost, NewJob, State, iso
from cleanplate.runtime.store import postgresql
from cleanplate.runtime.store.schema import cursors, events, forgotten, jobs, metadata

BUSY_TIMEOUT_MS = 15_000
CACHE_KB = 256
LEASE_EXPIRED = "lease expired"
BUSY_RETRY_S = 5
LONGEST_PAUSE_S = 3600.0
IDS_AT_ONCE = 500


class SqlStore:
    """See `JobStore`. A write takes the database's write lock first, so reads inside it cannot grow stale."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time):
        self._clock = clock
        parsed = sa.make_url(url)
        at_server = parsed.get_backend_name() == postgresql.NAME
        self._engine = postgresql.create_engine(parsed) if at_server else _open_sqlite(parsed)
        with self._write() as connection:
            metadata.create_all(connection)
            _add_columns(connection)

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

    def waiting_since(self, kind: str) -> float | None:
        query = sa.select(sa.func.min(jobs.c.created_at)).where(jobs.c.kind == kind, _waits(self._clock()))
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def position(self, job: Job) -> int:
        if job.state is not State.QUEUED:
            return 0
        ahead = sa.or_(
            jobs.c.priority > job.priority, sa.and_(jobs.c.priority == job.priority, jobs.c.created_at < job.created_at)
        )
        with self._engine.connect() as connection:
            return self._count(connection, job.kind, State.QUEUED, ahead)

    def claim(
        self,
        kinds: Sequence[str],
        worker: str,
        lease_s: float,
        crash_limit: int,
        *,
        alone: bool = True,
        job_id: str | None = None,
    ) -> Job | None:
        query = self._claimable(sa.select(jobs), kinds).limit(1)
        if job_id is not None:
            query = query.where(jobs.c.id == job_id)
        with self._engine.connect() as connection:  # an idle worker's look takes no write lock
            if connection.execute(query).first() is None:
                return None
        with self._write() as connection:
            while (row := connection.execute(query).first()) is not None:
                job = _job(row)
                if job.state is State.RUNNING:
                    job = self._requeue(connection, job, lease_s)
                if job.crashes >= crash_limit:
                    problem = Internal(f"its worker died {job.crashes} times in a row")
                    self._append(connection, job, Change("failed", problem.body(), State.FAILED, error=problem.body()))
                    continue
                if job.due_at > self._clock():
                    continue
                if job.crashes >= SUSPECT and not alone:
                    return None
                return self._start(connection, job, worker, lease_s)
        return None

    def claimable(self, kind: str, limit: int) -> list[tuple[str, int, int]]:
        query = self._claimable(sa.select(jobs.c.id, jobs.c.seq, jobs.c.priority), [kind]).limit(limit)
        with self._engine.connect() as connection:
            return [(row.id, row.seq, row.priority) for row in connection.execute(query)]

    def renew(self, job_id: str, attempt: int, lease_s: float) -> None:
        with self._write() as connection:
            held = sa.and_(jobs.c.id == job_id, jobs.c.attempt == attempt, jobs.c.state == State.RUNNING.value)
            done = connection.execute(sa.update(jobs).where(held).values(lease_until=self._clock() + lease_s))
            if done.rowcount != 1:
                raise LeaseLost(job_id)

    def record(
        self, job_id: str, change: Change, attempt: int | None = None, then: Sequence[NewJob] = ()
    ) -> tuple[Job, Event]:
        with self._write() as connection:
            job = self._get(connection, job_id)
            if attempt is not None and (job.state is not State.RUNNING or job.attempt != attempt):
                raise LeaseLost(job_id)
            for follower in then:
                self._insert(connection, follower)
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

    def unknown(self, job_ids: Sequence[str]) -> set[str]:
        with self._engine.connect() as connection:
            known: set[str] = set()
            for start in range(0, len(job_ids), IDS_AT_ONCE):
                some = job_ids[start : start + IDS_AT_ONCE]
                known.update(connection.execute(sa.select(jobs.c.id).where(jobs.c.id.in_(some))).scalars())
        return set(job_ids) - known

    def expired(self, finished_before: float, limit: int) -> list[str]:
        query = sa.select(jobs.c.id).where(jobs.c.finished_at < finished_before).order_by(jobs.c.finished_at)
        with self._engine.connect() as connection:
            return list(connection.execute(query.limit(limit)).scalars())

    def unmeasured(self, limit: int) -> list[tuple[str, int]]:
        ended = jobs.c.finished_at.is_not(None), jobs.c.files_bytes.is_(None)
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(jobs.c.id, jobs.c.seq).where(*ended).limit(limit))
            return [(row.id, row.seq) for row in found]

    def measure(self, job_id: str, seq: int, files_bytes: int) -> None:
        with self._write() as connection:
            same = jobs.c.id == job_id, jobs.c.seq == seq
            connection.execute(sa.update(jobs).where(*same).values(files_bytes=files_bytes))

    def surplus(self, limit_bytes: int, finished_before: float, limit: int) -> list[str]:
        newest_first = jobs.c.finished_at.desc(), jobs.c.id.desc()
        with_newer = sa.func.sum(jobs.c.files_bytes).over(order_by=newest_first).label("with_newer")
        ended = sa.select(jobs.c.id, jobs.c.finished_at, with_newer).where(
            jobs.c.finished_at.is_not(None), jobs.c.files_bytes > 0
        )
        found = ended.subquery()
        query = sa.select(found.c.id).where(found.c.with_newer > limit_bytes, found.c.finished_at < finished_before)
        with self._engine.connect() as connection:
            return list(connection.execute(query.order_by(found.c.finished_at).limit(limit)).scalars())

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

    def _claimable(self, query: sa.Select[Any], kinds: Sequence[str]) -> sa.Select[Any]:
        """Narrow a query to the jobs that wait for nothing, or whose worker let its lease expire; the next first."""
        other = jobs.alias()
        held = sa.exists().where(other.c.id == jobs.c.waits_for, other.c.state.in_([state.value for state in ACTIVE]))
        waits = sa.and_(jobs.c.state == State.QUEUED.value, jobs.c.due_at <= self._clock(), ~held)
        abandoned = sa.and_(jobs.c.state == State.RUNNING.value, jobs.c.lease_until < self._clock())
        found = query.where(jobs.c.kind.in_(kinds), sa.or_(waits, abandoned))
        return found.order_by(jobs.c.priority.desc(), jobs.c.created_at)

    def _count(self, connection: sa.Connection, kind: str, state: State, *more: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(jobs).where(jobs.c.kind == kind, jobs.c.state == state.value)
        return int(connection.execute(query.where(*more)).scalar_one())

    def _insert(self, connection: sa.Connection, new: NewJob) -> Job:
        queued = State.QUEUED
        job = Job(**vars(new), state=queued, seq=0, attempt=0, created_at=self._clock(), stage=queued.value)
        connection.execute(sa.insert(jobs).values(**_columns(job)))
        connection.execute(sa.delete(forgotten).where(forgotten.c.id == new.id))
        return self._append(connection, job, Change("queued"))[0]

    def _requeue(self, connection: sa.Connection, job: Job, lease_s: float) -> Job:
        """Give a dead worker's job back to the queue; a suspect has to wait, each time twice as long.

        Where the dead worker held none, something else kills workers here, and what suspects are blamed for is less.
        """
        if job.crashes < SUSPECT:
            waiting = sa.and_(jobs.c.kind == job.kind, jobs.c.state == State.QUEUED.value, jobs.c.crashes > SUSPECT)
            connection.execute(sa.update(jobs).where(waiting).values(crashes=SUSPECT))
        deaths = job.crashes + 1
        pause_s = min(LONGEST_PAUSE_S, lease_s * 2 ** (deaths - SUSPECT)) if deaths > SUSPECT else 0.0
        due_at = self._clock() + pause_s
        told = {"reason": LEASE_EXPIRED, **({"due_at": iso(due_at)} if pause_s else {})}
        return self._append(connection, job, Change("requeued", told, State.QUEUED, due_at=due_at))[0]

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
        changes = {"seq": job.seq + 1, "files_bytes": None, **_changes(job, change, now)}
        data = {**change.data, "progress": changes["progress"]} if "progress" in change.data else change.data
        if change.progress is not None:
            changes["detail"] = data
        job = replace(job, **changes)
        connection.execute(sa.update(jobs).where(jobs.c.id == job.id).values(**{**changes, "state": job.state.value}))
        entry = {"job_id": job.id, "seq": job.seq, "kind": job.kind, "owner": job.owner, "type": change.type}
        insert = sa.insert(events).values(**entry, at=now, data=data).returning(events.c.position)
        position = connection.execute(insert).scalar_one()
        return job, Event(job_id=job.id, seq=job.seq, position=position, type=change.type, at=iso(now) or "", data=data)


def _waits(now: float) -> sa.ColumnElement[bool]:
    """Say of a job whether it waits for nothing but a worker."""
    other = jobs.alias()
    held = sa.exists().where(other.c.id == jobs.c.waits_for, other.c.state.in_([state.value for state in ACTIVE]))
    return sa.and_(jobs.c.state == State.QUEUED.value, jobs.c.due_at <= now, ~held)


def _add_columns(connection: sa.Connection) -> None:
    """Give a table of an older version the columns that were added to it since; they are empty, and may be."""
    there = {column["name"] for column in sa.inspect(connection).get_columns(jobs.name)}
    for column in jobs.columns:
        if column.name not in there:
            told = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {jobs.name} ADD COLUMN {told}"))


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


def _open_sqlite(url: sa.URL) -> sa.Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url)
    sa.event.listen(engine, "handle_error", _translate)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _translate(context: sa.engine.ExceptionContext) -> None:
    """Raise the problem that a client is told when the database is locked, away or full."""
    error = context.original_exception
    if isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise StorageFull("the job store cannot grow", retry_after_s=60) from error
        raise StoreBusy(f"the job store does not answer: {error}", retry_after_s=BUSY_RETRY_S) from error


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun by us, so that writes can take the lock at once
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KB}")  # others' writes outdate it, and each connection has its own


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
