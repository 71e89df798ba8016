"""A store that an older program left is taken over with what it has; one that a newer program left is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from cleanplate.contract.problems import Expired
from cleanplate.runtime.jobs import NewJob, State
from cleanplate.runtime.store import migrations
from cleanplate.runtime.store.sql import SqlStore
from tests.fakes import first_schema

BEGUN = {"kind": "test", "owner": "", "params": {"n": 1}, "digest": "d", "priority": 0, "stage": "queued", "crashes": 0}
EMPTY = {"progress": 0.0, "detail": {}, "checkpoint": {}, "attempt": 0, "due_at": 0.0}
WAITS = {"id": "waits", "state": "queued", "seq": 1, "created_at": 1.0, **BEGUN, **EMPTY}
ENDED = {"id": "ended", "state": "succeeded", "seq": 2, "created_at": 2.0, "finished_at": 3.0, **BEGUN, **EMPTY}
TOLD = {"kind": "test", "owner": "", "at": 1.0, "data": {}}


@pytest.fixture
def old(url: str) -> Iterator[sa.Engine]:
    """A store of before there were versions: a job that waits, one that has ended, one that was removed, a reader."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        first_schema.metadata.create_all(connection)
        for job in (WAITS, ENDED):
            connection.execute(sa.insert(first_schema.jobs).values(job))
        for job_id, seq, type_ in (("waits", 1, "queued"), ("ended", 1, "queued"), ("ended", 2, "succeeded")):
            connection.execute(sa.insert(first_schema.events).values(job_id=job_id, seq=seq, type=type_, **TOLD))
        connection.execute(sa.insert(first_schema.forgotten).values(id="removed", at=1.0))
        connection.execute(sa.insert(first_schema.cursors).values(reader="ann", position=2, at=1.0))
    yield engine
    engine.dispose()


def schema(engine: sa.Engine) -> dict[str, object]:
    """Return the columns and the indexes of all tables."""
    seen = sa.inspect(engine)
    return {
        table: (
            {column["name"]: (str(column["type"]), column["nullable"]) for column in seen.get_columns(table)},
            sorted((str(index["name"]), index["column_names"]) for index in seen.get_indexes(table)),
        )
        for table in seen.get_table_names()
    }


def version(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT version FROM schema_version")).scalar_one())


def test_a_store_of_before_there_were_versions_is_taken_over_with_all_that_it_has(url: str, old: sa.Engine) -> None:
    store = SqlStore(url)
    assert (store.get("waits").params, store.get("ended").state) == ({"n": 1}, State.SUCCEEDED)
    assert [job.id for job in store.list_jobs(kind="test", owner="", states=(), before=None, limit=9)] == [
        "ended",
        "waits",
    ]
    with pytest.raises(Expired):
        store.get("removed")
    assert (store.cursor("ann"), store.unmeasured(9)) == (2, [("ended", 2)])
    claimed = store.claim(["test"], "worker", 30.0, 3)
    assert claimed is not None
    assert (claimed.id, claimed.seq, claimed.traceparent) == ("waits", 2, None)
    assert [event.position for event in store.events_of_all("test", None, 0, 9)] == [1, 2, 3, 4]
    assert version(old) == len(migrations.STEPS)
    store.close()


@pytest.mark.parametrize("statement", ["DROP COLUMN files_bytes", "ADD COLUMN traceparent VARCHAR(55)"])
def test_whatever_columns_it_had_it_has_those_of_a_new_store(
    url: str, other_url: str, old: sa.Engine, statement: str
) -> None:
    with old.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE jobs {statement}"))
    for each in (url, other_url):
        SqlStore(each).close()
    new = sa.create_engine(other_url)
    assert schema(old) == schema(new)
    new.dispose()


def begun_together(url: str) -> list[SqlStore]:
    """Open a store four times at once."""
    begun: list[SqlStore] = []
    threads = [threading.Thread(target=lambda: begun.append(SqlStore(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return begun


def test_of_programs_that_begin_together_one_takes_it_over(url: str, old: sa.Engine) -> None:
    begun = begun_together(url)
    assert [store.get("waits").seq for store in begun] == [1] * 4
    assert version(old) == len(migrations.STEPS)
    for store in begun:
        store.close()


def test_of_programs_that_begin_together_one_makes_the_store(url: str) -> None:
    begun = begun_together(url)
    assert len(begun) == 4
    for store in begun:
        store.close()


def test_a_step_that_fails_leaves_the_store_as_it_was(
    url: str, old: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(connection: sa.Connection) -> None:
        connection.execute(sa.text("DROP TABLE cursors"))
        raise RuntimeError("no")

    before = schema(old)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "STEPS", (*migrations.STEPS, fails))
        with pytest.raises(RuntimeError, match="no"):
            SqlStore(url)
    assert schema(old) == before
    store = SqlStore(url)
    assert store.cursor("ann") == 2
    store.close()


def test_steps_that_were_taken_are_not_taken_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SqlStore(url).close()
    taken: list[str] = []
    monkeypatch.setattr(
        migrations, "STEPS", (*[lambda _: taken.append("old")] * len(migrations.STEPS), lambda _: taken.append("new"))
    )
    for _ in range(2):
        SqlStore(url).close()
    assert taken == ["new"]


def test_a_store_that_a_newer_program_left_is_refused_and_stays_as_it_is(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "STEPS", (*migrations.STEPS, lambda _: None))
        newer = SqlStore(url)
        newer.submit(NewJob("a", "test", {}, "d"), 10)
    known = len(migrations.STEPS)
    with pytest.raises(migrations.StoreTooNew, match=rf"version {known + 1} .* none after {known}"):
        SqlStore(url)
    assert newer.get("a").seq == 1
    newer.close()
