"""Cores: those of the affinity, and of a container's quota if they are fewer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleanplate.runtime.cores import cores

OWN = 6


@pytest.fixture(autouse=True)
def affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(OWN)), raising=False)


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, OWN),
        ({"cpu.max": "max 100000\n"}, OWN),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "6400000 100000\n"}, OWN),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, OWN),
    ],
    ids=["alone", "no limit", "two", "one and a half", "a tenth", "more than there are", "version 1", "its no limit"],
)
def test_a_containers_quota_counts_where_it_is_less(tmp_path: Path, files: dict[str, str], count: int) -> None:
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cores(tmp_path) == count


def test_without_affinity_there_are_the_cores_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cores(tmp_path) == 3
