"""The statements of the job store that every job needs, made once: making one costs more than most take to run."""

from __future__ import annotations

import sqlalchemy as sa

from cleanplate.runtime.jobs import ACTIVE, State
from cleanplate.runtime.store.schema import events, forgotten, jobs

_this = jobs.c.id == sa.bindparam("job_id")
_now: sa.BindParameter[float] = sa.bindparam("now", type_=sa.Float)
_limit: sa.BindParameter[int] = sa.bindparam("limit", type_=sa.Integer)
_active = [state.value for state in ACTIVE]
_other = jobs.alias()

JOB = sa.select(jobs).where(_this)
FORGOTTEN = sa.select(forgotten.c.id).where(forgotten.c.id == sa.bindparam("job_id"))

_queued = sa.and_(jobs.c.kind == sa.bindparam("kind"), jobs.c.state == State.QUEUED.value)
_queue = sa.select(sa.func.count().label("waiting")).select_from(jobs).where(_queued).subquery()
QUEUE_AND_JOB = sa.select(_queue.c.waiting, jobs).select_from(_queue.outerjoin(jobs, _this))
"""One row: how many jobs of the kind wait, and the job, whose columns are NULL where there is none."""

_held = sa.exists().where(_other.c.id == jobs.c.waits_for, _other.c.state.in_(_active))
WAITS = sa.and_(jobs.c.state == State.QUEUED.value, jobs.c.due_at <= _now, ~_held)
"""It waits for nothing but a worker."""

_abandoned = sa.and_(jobs.c.state == State.RUNNING.value, jobs.c.lease_until < _now)
_claimable = (
    jobs.c.kind.in_(sa.bindparam("kinds", expanding=True)),
    jobs.c.state.in_(_active),  # said besides, for SQLite's planner sees no index in the alternatives
    sa.or_(WAITS, _abandoned),
)
_next_first = jobs.c.priority.desc(), jobs.c.created_at
CLAIMABLE = sa.select(jobs.c.id, jobs.c.seq, jobs.c.priority).where(*_claimable).order_by(*_next_first).limit(_limit)
NEXT = sa.select(jobs).where(*_claimable).order_by(*_next_first).limit(1)
THAT = sa.select(jobs).where(_this, *_claimable)

WAITING_SINCE = sa.select(sa.func.min(jobs.c.created_at)).where(jobs.c.kind == sa.bindparam("kind"), WAITS)

_after = sa.and_(events.c.job_id == jobs.c.id, events.c.seq > sa.bindparam("after"))
LOG = (
    sa.select(jobs.c.state.label("job_state"), jobs.c.seq.label("job_seq"), events)
    .select_from(jobs.outerjoin(events, _after))
    .where(_this)
    .order_by(events.c.seq)
    .limit(_limit)
)
"""The job's events, each with where the job stands; one row whose event is NULL where there are none."""

INSERT_JOB, CHANGE_JOB = sa.insert(jobs), sa.update(jobs).where(_this)
INSERT_EVENT = sa.insert(events).returning(events.c.position)
RENEW = CHANGE_JOB.where(jobs.c.attempt == sa.bindparam("held"), jobs.c.state == State.RUNNING.value)
