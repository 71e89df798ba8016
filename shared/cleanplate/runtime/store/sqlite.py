"""What SQLite needs to be a job store: writers one after the other, readers beside them, and an end to every wait."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cleanplate.contract.problems import StorageFull, StoreBusy

BUSY_TIMEOUT_MS = 15_000
CACHE_KB = 256
RETRY_S = 5


def create_engine(url: sa.URL) -> sa.Engine:
    """Return connections to the database file, whose folder is made where it is missing."""
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    sa.event.listen(engine, "handle_error", _translate)
    return engine


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun by us, so that writes can take the lock at once
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KB}")  # others' writes outdate it, and each connection has its own


def _begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _translate(context: sa.engine.ExceptionContext) -> None:
    """Raise the problem that a client is told when the database is locked, away or full."""
    error = context.original_exception
    if isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise StorageFull("the job store cannot grow", retry_after_s=60) from error
        raise StoreBusy(f"the job store does not answer: {error}", retry_after_s=RETRY_S) from error
