"""What PostgreSQL needs to be a job store: writers one after the other, and an end to every wait."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa

from cleanplate.contract.problems import StorageFull, StoreBusy

log = logging.getLogger(__name__)

NAME = "postgresql"
WRITERS = 0x636C65616E  # the advisory lock that a writer holds until its commit
LIMITS = {"lock_timeout": "15s", "statement_timeout": "60s", "idle_in_transaction_session_timeout": "60s"}
CONNECTING = {"connect_timeout": "5", "tcp_user_timeout": "20000"}  # of libpq: s, ms
CONNECTIONS = 20  # a service has at most four boards with four threads each
DISK_FULL = "53100"
RETRY_S = 5


def create_engine(url: sa.URL) -> sa.Engine:
    """Return connections to the database; what the URL says itself about connecting counts.

    Events get their positions under one lock, so a reader never sees one before those with a smaller position.
    """
    told = url.set(query={**CONNECTING, **url.query})
    engine = sa.create_engine(told, pool_pre_ping=True, pool_size=5, max_overflow=CONNECTIONS - 5)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    sa.event.listen(engine, "handle_error", _translate)
    return engine


def _prepare(connection: Any, _: object) -> None:
    connection.autocommit = True  # what is set in a transaction would go with it
    for name, limit in LIMITS.items():
        connection.execute(f"SET {name} = '{limit}'")
    connection.autocommit = False


def _begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")


def _translate(context: sa.engine.ExceptionContext) -> None:
    """Raise the problem that a client is told when the database is locked, away or full; the log has the reason."""
    gone = isinstance(context.sqlalchemy_exception, sa.exc.OperationalError | sa.exc.InterfaceError)
    if not gone or context.is_pre_ping:  # a pooled connection that is dead is replaced
        return
    error = context.original_exception
    if getattr(error, "sqlstate", None) == DISK_FULL:
        raise StorageFull("the job store cannot grow", retry_after_s=60) from error
    log.warning("the job store does not answer: %s", str(error).strip())
    raise StoreBusy(retry_after_s=RETRY_S) from error
