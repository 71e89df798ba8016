"""PostgreSQL keeps what every job store promises, and is missed while it is away no longer than that."""

from __future__ import annotations

import threading

import pytest

from cleanplate.contract.problems import StoreBusy
from cleanplate.runtime.jobs import Change, NewJob
from cleanplate.runtime.store import JobStore, postgresql
from cleanplate.runtime.store.sql import SqlStore
from tests.promises.test_store import *  # noqa: F403 - the same tests
from tests.scale.servers import Postgres


def job(job_id: str = "a") -> NewJob:
    return NewJob(job_id, "test", {}, "digest")


def test_a_reader_never_sees_a_position_before_a_smaller_one(store: JobStore) -> None:
    for number in range(4):
        store.submit(job(f"job{number}"), 10)
    writing = threading.Barrier(5)

    def write(number: int) -> None:
        writing.wait()
        for _ in range(25):
            store.record(f"job{number}", Change("note"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    writing.wait()
    while len(seen) < 104:
        seen += [event.position for event in store.events_of_all("test", None, seen[-1] if seen else 0, 1000)]
    for thread in threads:
        thread.join()
    assert len(store.events_of_all("test", None, 0, 1000)) == 104
    assert seen == sorted(set(seen))


def test_a_server_that_is_away_is_a_busy_store_and_back_at_once(postgres: Postgres, store: JobStore) -> None:
    store.submit(job(), 10)
    postgres.stop()
    with pytest.raises(StoreBusy) as busy:
        store.get("a")
    assert (busy.value.retry_after_s, "127.0.0.1" in busy.value.detail) == (5, False)
    postgres.start()
    assert store.get("a").seq == 1


def test_a_database_that_knows_of_no_encoding_keeps_text_all_the_same(postgres: Postgres) -> None:
    store = SqlStore(postgres.database("SQL_ASCII"))
    store.submit(NewJob("a", "test", {"name": "Übung 出口"}, "digest", owner="Zoë"), 10)
    assert (store.get("a").params, store.get("a").owner) == ({"name": "Übung 出口"}, "Zoë")
    store.close()


def test_a_writer_that_waits_too_long_for_the_others_is_told_so(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgresql.LIMITS, "lock_timeout", "50ms")
    store = SqlStore(postgres.database())
    with store._write(), pytest.raises(StoreBusy):
        store.submit(job(), 10)
    store.submit(job(), 10)
    store.close()
