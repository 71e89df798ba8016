"""Every implementation of a seam, made fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanplate.runtime.store import JobStore
from cleanplate.runtime.store.sql import SqlStore


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite"])
def store(tmp_path: Path, clock: Clock) -> Iterator[JobStore]:
    made = SqlStore(f"sqlite:///{tmp_path}/jobs.db", clock)
    yield made
    made.close()
