"""The tables: jobs, their events, the ids of jobs that were removed, and how far readers have read.

What changes here needs a step in `migrations` that changes a store that is there in the same way.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()
Position = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # only an INTEGER counts up by itself there


def _where(condition: str) -> dict[str, Any]:
    """Return what keeps other rows out of an index, so that what changes them does not write to it."""
    return {f"{dialect}_where": sa.text(condition) for dialect in ("sqlite", "postgresql")}


jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("params", sa.JSON, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("crashes", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("due_at", sa.Float, nullable=False),
    sa.Column("waits_for", sa.String(100)),
    sa.Column("traceparent", sa.String(55)),
    sa.Column("stage", sa.String(40), nullable=False),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("checkpoint", sa.JSON, nullable=False),
    sa.Column("result", sa.JSON),
    sa.Column("error", sa.JSON),
    sa.Column("worker", sa.String(200)),
    sa.Column("lease_until", sa.Float),
    sa.Column("started_at", sa.Float),
    sa.Column("finished_at", sa.Float),
    sa.Column("files_bytes", sa.BigInteger),
    sa.Index("jobs_by_state", "kind", "state", "created_at", "id"),
    sa.Index("jobs_by_owner", "kind", "owner", "created_at", "id"),
    sa.Index("jobs_by_age", "kind", "created_at", "id"),
    sa.Index("jobs_to_forget", "finished_at", "id", "files_bytes", **_where("finished_at IS NOT NULL")),
    sa.Index("jobs_to_measure", "files_bytes", **_where("finished_at IS NOT NULL AND files_bytes IS NULL")),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("position", Position, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.String(100), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("type", sa.String(40), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.UniqueConstraint("job_id", "seq"),
    sa.Index("events_by_kind", "kind", "position"),
    sa.Index("events_by_owner", "kind", "owner", "position"),
    sqlite_autoincrement=True,
)

forgotten = sa.Table(
    "forgotten",
    metadata,
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("reader", sa.String(64), primary_key=True),
    sa.Column("position", Position, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, nullable=False))
