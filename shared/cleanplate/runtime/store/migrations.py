"""The versions of the schema: what makes of a store that an older program left one that this program can use.

A step says what it does in SQL of its own, not with the tables of `schema`, which go on changing. Steps are only ever
added. A store from before there were versions has the version 0.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from cleanplate.runtime.store.schema import jobs, metadata, schema_version

log = logging.getLogger(__name__)


class StoreTooNew(Exception):
    """The store was made, or changed, by a newer program than this one."""


def _columns_for_sizes_and_traces(connection: sa.Connection) -> None:
    there = {column["name"] for column in sa.inspect(connection).get_columns("jobs")}
    for name, kind in (("files_bytes", "BIGINT"), ("traceparent", "VARCHAR(55)")):
        if name not in there:  # there were programs that added them by themselves
            connection.execute(sa.text(f"ALTER TABLE jobs ADD COLUMN {name} {kind}"))


def _indexes_for_lists_and_logs(connection: sa.Connection) -> None:
    for statement in (
        "DROP INDEX IF EXISTS jobs_to_claim",
        "CREATE INDEX jobs_by_state ON jobs (kind, state, created_at, id)",
        "CREATE INDEX jobs_by_owner ON jobs (kind, owner, created_at, id)",
        "CREATE INDEX events_by_kind ON events (kind, position)",
        "CREATE INDEX events_by_owner ON events (kind, owner, position)",
    ):
        connection.execute(sa.text(statement))


def _indexes_for_sweeps(connection: sa.Connection) -> None:
    for statement in (
        "DROP INDEX IF EXISTS jobs_to_forget",
        "CREATE INDEX jobs_to_forget ON jobs (finished_at, id, files_bytes) WHERE finished_at IS NOT NULL",
        "CREATE INDEX jobs_to_measure ON jobs (files_bytes) WHERE finished_at IS NOT NULL AND files_bytes IS NULL",
    ):
        connection.execute(sa.text(statement))


STEPS: Sequence[Callable[[sa.Connection], None]] = (
    _columns_for_sizes_and_traces,
    _indexes_for_lists_and_logs,
    _indexes_for_sweeps,
)


def apply(connection: sa.Connection) -> None:
    """Make the store this program's, in a transaction of a writer: of several programs that begin one does it.

    Raises:
        StoreTooNew: a newer program was here.
    """
    there = sa.inspect(connection).get_table_names()
    if jobs.name not in there:
        metadata.create_all(connection)
        connection.execute(sa.insert(schema_version).values(version=len(STEPS)))
    elif schema_version.name not in there:
        schema_version.create(connection)
        connection.execute(sa.insert(schema_version).values(version=0))
    version = connection.execute(sa.select(schema_version.c.version)).scalar_one()
    if version > len(STEPS):
        raise StoreTooNew(
            f"the job store has version {version} of its schema, and this program knows none after {len(STEPS)}: "
            "run the program that was run before, or a newer one"
        )
    for step in STEPS[version:]:
        log.info("the job store gets %s", step.__name__.strip("_").replace("_", " "))
        step(connection)
    connection.execute(sa.update(schema_version).values(version=len(STEPS)))
