"""What PostgreSQL needs to be a job store: writers one after the other, and an end to every wait."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import psycopg
import sqlalchemy as sa

from cleanplate.contract.problems import StorageFull, StoreBusy

log = logging.getLogger(__name__)

WRITERS = 0x636C65616E  # the advisory lock that a writer holds until its commit
LIMITS = {"lock_timeout": "15s", "statement_timeout": "60s", "idle_in_transaction_session_timeout": "60s"}
CONNECTING = {"connect_timeout": "5", "tcp_user_timeout": "20000", "client_encoding": "utf8"}  # of libpq: s, ms
CONNECTIONS = 20  # a service has at most four boards with five threads each
DISK_FULL = "53100"
RETRY_S = 5
IDLE_S = 1.0


def create_engine(url: sa.URL) -> sa.Engine:
    """Return connections to the database; what the URL says itself about connecting counts.

    Events get their positions under one lock, so a reader never sees one before those with a smaller position.
    """
    told = url.set(query={**CONNECTING, **url.query})
    engine = sa.create_engine(told, pool_size=5, max_overflow=CONNECTIONS - 5, pool_use_lifo=True)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "checkout", _check)
    sa.event.listen(engine, "checkin", _leave)
    sa.event.listen(engine, "begin", _begin)
    sa.event.listen(engine, "handle_error", _translate)
    return engine


def _prepare(connection: Any, _: object) -> None:
    connection.autocommit = True  # a read is one round trip, and its plan is kept; a write begins its transaction
    for name, limit in LIMITS.items():
        connection.execute(f"SET {name} = '{limit}'")


def _leave(_: object, record: sa.pool.ConnectionPoolEntry) -> None:
    record.info["left_at"] = time.monotonic()


def _check(connection: Any, record: sa.pool.ConnectionPoolEntry, _: object) -> None:
    """Have a connection replaced that died while nobody used it; one that was used just now is not asked."""
    if time.monotonic() - record.info.get("left_at", math.inf) > IDLE_S:
        try:
            connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            raise sa.exc.InvalidatePoolError from error


def _begin(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get("writes"):
        waits = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0;" if options.get("migrates") else ""
        connection.exec_driver_sql(f"BEGIN; {waits} SELECT pg_advisory_xact_lock({WRITERS})")


def _translate(context: sa.engine.ExceptionContext) -> None:
    """Raise the problem that a client is told when the database is locked, away or full; the log has the reason."""
    if not isinstance(context.sqlalchemy_exception, sa.exc.OperationalError | sa.exc.InterfaceError):
        return
    error = context.original_exception
    if getattr(error, "sqlstate", None) == DISK_FULL:
        raise StorageFull("the job store cannot grow", retry_after_s=60) from error
    log.warning("the job store does not answer: %s", str(error).strip())
    raise StoreBusy(retry_after_s=RETRY_S) from error
