"""What the SQL store makes of a database that cannot do its work; what every store promises is tested there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cleanplate.contract.problems import NotFound, StorageFull, StoreBusy
from cleanplate.runtime.jobs import NewJob
from cleanplate.runtime.service import open_board
from cleanplate.runtime.settings import JobSettings
from cleanplate.runtime.store import sqlite
from cleanplate.runtime.store.sql import SqlStore


def test_a_database_that_cannot_grow_is_a_full_store_and_keeps_what_it_has(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/jobs.db")
    store.submit(NewJob("small", "test", {}, "digest"), 10)
    store.close()

    def limit(connection: Any, _: object) -> None:
        connection.execute("PRAGMA max_page_count=1")  # that is, as many as there are

    sa.event.listen(store._engine, "connect", limit)
    with pytest.raises(StorageFull):
        store.submit(NewJob("large", "test", {"text": "a" * 1_000_000}, "digest"), 10)
    assert store.get("small").seq == 1
    with pytest.raises(NotFound):
        store.get("large")
    store.close()


def test_a_database_that_stays_locked_is_a_busy_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 10)
    store = SqlStore(f"sqlite:///{tmp_path}/jobs.db")
    with closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusy) as busy:
            store.submit(NewJob("a", "test", {}, "digest"), 10)
        assert busy.value.retry_after_s
    store.submit(NewJob("a", "test", {}, "digest"), 10)
    store.close()


def test_a_sweep_looks_through_indexes_and_not_through_all_jobs(tmp_path: Path) -> None:
    store, asked = SqlStore(f"sqlite:///{tmp_path}/jobs.db"), list[tuple[str, Any]]()

    def hear(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(store._engine, "before_cursor_execute", hear)
    looks: list[object] = [store.unmeasured(10), store.surplus(10, 1.0, 10), store.expired(1.0, 10)]
    store.close()
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
        plans = [connection.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall() for statement, given in asked]
    assert len(plans) == len(looks)
    used = [step[3] for plan in plans for step in plan if " jobs" in step[3]]
    assert [step.partition("(")[0].split()[-1] for step in used] == ["jobs_to_measure", *["jobs_to_forget"] * 3]
    assert [step for step in used[1:] if "COVERING" not in step] == []


def test_a_service_whose_store_a_newer_program_left_ends_with_what_is_wrong(tmp_path: Path) -> None:
    SqlStore(f"sqlite:///{tmp_path}/jobs.db").close()
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection, connection:
        connection.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(SystemExit, match="cleanplate: the job store has version 99"):
        open_board("test", JobSettings(data=str(tmp_path)))
