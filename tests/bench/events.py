"""How many events per second one database takes: `tests/.venv/bin/python -m tests.bench.events`.

One, four and sixteen processes record events of a job each, as fast as they can: on SQLite, on PostgreSQL as it comes,
and on one that does not wait for the disk. The floor is how often a second the disk confirms 8 KB.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from cleanplate.runtime.jobs import Change, NewJob, new_id
from cleanplate.runtime.store.sql import SqlStore
from tests.scale.servers import Postgres

SECONDS = 5.0
WRITERS = (1, 4, 16)


class Durable(Postgres):
    """One whose commits wait for the disk, as they do where nobody says otherwise."""

    def command(self) -> list[str]:
        return [argument.replace("fsync=off", "fsync=on") for argument in super().command()]


def record(url: str) -> int:
    """Record events until the time is over; return how many."""
    store, name, count = SqlStore(url), new_id(), 0
    store.submit(NewJob(name, "bench", {}, "digest"), 10_000)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        store.record(name, Change("progress", {"stage": "detecting"}))
        count += 1
    store.close()
    return count


def rate(url: str, writers: int) -> float:
    """Return the events per second of so many processes."""
    with ProcessPoolExecutor(writers, mp_context=get_context("spawn")) as pool:
        list(pool.map(abs, range(writers)))  # until all are up
        return sum(pool.map(record, [url] * writers)) / SECONDS


def syncs(folder: str) -> float:
    """Return how often a second a file in the folder can be added to for good."""
    count, end = 0, time.monotonic() + SECONDS
    with open(os.path.join(folder, "floor"), "wb", buffering=0) as file:
        while time.monotonic() < end:
            file.write(bytes(8192))
            os.fdatasync(file.fileno())
            count += 1
    return count / SECONDS


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Durable() as durable, Postgres() as careless:
        print(f"the disk alone: {syncs(folder):.0f} per second")
        sqlite = f"sqlite:///{folder}/jobs.db"
        for what, url in (
            ("SQLite", sqlite),
            ("PostgreSQL", durable.database()),
            ("PostgreSQL that does not wait for the disk", careless.database()),
        ):
            rates = " ".join(f"{rate(url, writers):8.0f}" for writers in WRITERS)
            print(f"{what:<44} {rates}  events per second of {', '.join(map(str, WRITERS))} writers")


if __name__ == "__main__":
    main()
