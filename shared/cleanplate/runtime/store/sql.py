"""The job store on SQL through SQLAlchemy Core: SQLite in WAL mode by default, PostgreSQL by its URL."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Expired, IdConflict, Internal, NotFound, QueueFull
from cleanplate.runtime.jobs import FINAL, SUSPECT, Change, Job, LeaseLost, NewJob, State, iso
from cleanplate.runtime.store import migrations, queries, sqlite
from cleanplate.runtime.store.rows import LEASE_EXPIRED, changed, columns, data_of, entry, event_of, job_of
from cleanplate.runtime.store.schema import cursors, events, forgotten, jobs

LONGEST_PAUSE_S = 3600.0
IDS_AT_ONCE = 500


class SqlStore:
    """See `JobStore`. A write takes the database's write lock first, so reads inside it cannot grow stale."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time):
        self._clock = clock
        self._engine = _open(sa.make_url(url))
        self._writer = self._engine.execution_options(writes=True)
        with ExitStack() as unless_done:
            unless_done.callback(self.close)
            with self._writer.execution_options(migrates=True).begin() as connection:
                migrations.apply(connection)
            unless_done.pop_all()

    def submit(self, new: NewJob, queue_limit: int, then: Sequence[NewJob] = ()) -> tuple[Job, bool]:
        with self._write() as connection:
            row = connection.execute(queries.QUEUE_AND_JOB, {"kind": new.kind, "job_id": new.id}).one()
            if row.id is not None:
                job = job_of(row)
                if (job.digest, job.owner, job.kind) != (new.digest, new.owner, new.kind):
                    raise IdConflict(f"{new.id} was used for a different request")
                return job, False
            if row.waiting >= queue_limit:
                raise QueueFull(
                    f"{row.waiting} jobs wait already", retry_after_s=5, queue_length=row.waiting, limit=queue_limit
                )
            return self._insert(connection, [*then, new])[-1], True

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
            return [job_of(row) for row in connection.execute(query)]

    def counts(self, kind: str, owner: str | None = None) -> dict[State, int]:
        query = sa.select(jobs.c.state, sa.func.count()).where(jobs.c.kind == kind).group_by(jobs.c.state)
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        with self._engine.connect() as connection:
            found = {State(state): int(number) for state, number in connection.execute(query)}
        return {state: found.get(state, 0) for state in State}

    def waiting_since(self, kind: str) -> float | None:
        with self._engine.connect() as connection:
            return connection.execute(queries.WAITING_SINCE, {"kind": kind, "now": self._clock()}).scalar()

    def position(self, job: Job) -> int:
        if job.state is not State.QUEUED:
            return 0
        ahead = sa.or_(
            jobs.c.priority > job.priority, sa.and_(jobs.c.priority == job.priority, jobs.c.created_at < job.created_at)
        )
        query = (
            sa.select(sa.func.count())
            .select_from(jobs)
            .where(jobs.c.kind == job.kind, jobs.c.state == State.QUEUED.value, ahead)
        )
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

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
        asked = {"kinds": kinds, "job_id": job_id}
        query = queries.NEXT if job_id is None else queries.THAT
        if job_id is None and not self._some_claimable(kinds, 1):  # an idle worker's look takes no write lock
            return None
        with self._write() as connection:
            while (row := connection.execute(query, {**asked, "now": self._clock()}).first()) is not None:
                job = job_of(row)
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
        return self._some_claimable([kind], limit)

    def renew(self, job_id: str, attempt: int, lease_s: float) -> None:
        with self._write() as connection:
            held = {"job_id": job_id, "held": attempt, "lease_until": self._clock() + lease_s}
            if connection.execute(queries.RENEW, held).rowcount != 1:
                raise LeaseLost(job_id)

    def record(
        self, job_id: str, change: Change, attempt: int | None = None, then: Sequence[NewJob] = ()
    ) -> tuple[Job, Event]:
        with self._write() as connection:
            job = self._get(connection, job_id)
            if attempt is not None and (job.state is not State.RUNNING or job.attempt != attempt):
                raise LeaseLost(job_id)
            self._insert(connection, then)
            return self._append(connection, job, change)

    def events(self, job_id: str, after: int, limit: int) -> list[Event]:
        query = sa.select(events).where(events.c.job_id == job_id, events.c.seq > after).order_by(events.c.seq)
        with self._engine.connect() as connection:
            return [event_of(row) for row in connection.execute(query.limit(limit))]

    def look(self, job_id: str, after: int, limit: int) -> tuple[list[Event], bool]:
        asked = {"job_id": job_id, "after": after, "limit": limit}
        with self._engine.connect() as connection:
            rows = connection.execute(queries.LOG, asked).all()
            if not rows:
                self._get(connection, job_id)
                return [], False  # it was added between the two
        found = [event_of(row) for row in rows if row.seq is not None]
        newest = found[-1].seq if found else after
        return found, State(rows[0].job_state) in FINAL and newest >= rows[0].job_seq

    def events_of_all(self, kind: str, owner: str | None, after: int, limit: int) -> list[Event]:
        query = sa.select(events).where(events.c.position > after, events.c.kind == kind).order_by(events.c.position)
        if owner is not None:
            query = query.where(events.c.owner == owner)
        with self._engine.connect() as connection:
            return [event_of(row) for row in connection.execute(query.limit(limit))]

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
        total = sa.select(sa.func.sum(jobs.c.files_bytes)).where(jobs.c.finished_at.is_not(None)).scalar_subquery()
        old = jobs.c.finished_at < finished_before, jobs.c.files_bytes > 0
        query = sa.select(jobs.c.id, jobs.c.files_bytes, total.label("total")).where(*old)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(jobs.c.finished_at, jobs.c.id).limit(limit)).all()
        older = itertools.accumulate((row.files_bytes for row in rows), initial=0)
        return [row.id for row, gone in zip(rows, older, strict=False) if row.total - gone > limit_bytes]

    def forget(self, job_id: str) -> None:
        with self._write() as connection:
            connection.execute(sa.delete(events).where(events.c.job_id == job_id))
            if connection.execute(sa.delete(jobs).where(jobs.c.id == job_id)).rowcount:
                connection.execute(sa.delete(forgotten).where(forgotten.c.id == job_id))  # it was here before
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

    def _write(self) -> AbstractContextManager[sa.Connection]:
        return self._writer.begin()

    def _get(self, connection: sa.Connection, job_id: str) -> Job:
        row = connection.execute(queries.JOB, {"job_id": job_id}).first()
        if row is not None:
            return job_of(row)
        if connection.execute(queries.FORGOTTEN, {"job_id": job_id}).first() is not None:
            raise Expired(f"{job_id} is past its retention")
        raise NotFound(f"there is no job {job_id}")

    def _some_claimable(self, kinds: Sequence[str], limit: int) -> list[tuple[str, int, int]]:
        asked = {"kinds": kinds, "now": self._clock(), "limit": limit}
        with self._engine.connect() as connection:
            return [(row.id, row.seq, row.priority) for row in connection.execute(queries.CLAIMABLE, asked)]

    def _insert(self, connection: sa.Connection, new: Sequence[NewJob]) -> list[Job]:
        """Add jobs whose log begins with their first event."""
        if not new:
            return []
        queued, now = State.QUEUED, self._clock()
        made = [Job(**vars(each), state=queued, seq=1, attempt=0, created_at=now, stage=queued.value) for each in new]
        connection.execute(sa.insert(jobs), [columns(job) for job in made])
        connection.execute(sa.insert(events), [entry(job, queued.value, now, {}) for job in made])
        return made

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
        now, attempt = self._clock(), job.attempt + 1
        lease = {"worker": worker, "lease_until": now + lease_s, "attempt": attempt}
        lease["started_at"] = job.started_at or now
        return self._append(connection, job, Change("started", {"attempt": attempt}, State.RUNNING), lease)[0]

    def _append(
        self, connection: sa.Connection, job: Job, change: Change, more: Mapping[str, Any] = MappingProxyType({})
    ) -> tuple[Job, Event]:
        now = self._clock()
        changes = {**changed(job, change, now), **more}
        job, data = replace(job, **changes), data_of(change, changes["progress"])
        connection.execute(queries.CHANGE_JOB, {**changes, "state": job.state.value, "job_id": job.id})
        position = connection.execute(queries.INSERT_EVENT, entry(job, change.type, now, data)).scalar_one()
        return job, Event(job_id=job.id, seq=job.seq, position=position, type=change.type, at=iso(now) or "", data=data)


def _open(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() != "postgresql":
        return sqlite.create_engine(url)
    from cleanplate.runtime.store import postgresql  # its packages are there where a setting asks for them

    return postgresql.create_engine(url)
