"""What every store of files promises: whole or not there, and never outside its folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanplate.contract.problems import Expired, Invalid
from cleanplate.runtime.files import JobFiles
from tests.unit.runtime.test_jobs import UNSAFE


def test_what_was_put_is_there_until_it_is_removed(files: JobFiles) -> None:
    files.put("a", "image", b"one")
    files.put("a", "image", b"two")
    assert (files.get("a", "image"), files.exists("a", "image")) == (b"two", True)
    files.remove("a", "image")
    files.remove("a", "image")
    assert not files.exists("a", "image")
    with pytest.raises(Expired):
        files.get("a", "image")


def test_forgetting_a_job_leaves_the_others(files: JobFiles) -> None:
    files.put("a", "image", b"one")
    files.put("ab", "image", b"two")
    files.forget("a")
    files.forget("a")
    assert [job_id for _, _, job_id in files.usage()] == ["ab"]


def test_usage_counts_all_files_of_a_job_oldest_first(files: JobFiles) -> None:
    files.put("b", "image", b"123")
    files.put("a", "image", b"1234")
    files.put("b", "mask", b"12")
    usage = files.usage()
    assert sorted((job_id, size) for _, size, job_id in usage) == [("a", 4), ("b", 5)]
    assert [at for at, _, _ in usage] == sorted(at for at, _, _ in usage)
    assert usage[0][0] > 1_600_000_000  # a store that does not call it mtime tells the time too


def test_nothing_is_used_before_the_first_file(files: JobFiles) -> None:
    assert files.usage() == []


def test_no_id_and_no_name_leads_out_of_the_folder(files: JobFiles) -> None:
    calls: list[Callable[[str, str], object]] = [
        lambda job_id, name: files.put(job_id, name, b""), files.get, files.remove, files.exists
    ]  # fmt: skip
    for bad, call in itertools.product(UNSAFE, calls):
        with pytest.raises(Invalid):
            call(bad, "image")
        with pytest.raises(ValueError, match="unsafe"):
            call("a", bad)
    for bad in UNSAFE:
        with pytest.raises(Invalid):
            files.forget(bad)


def test_a_part_of_a_file_is_as_much_as_there_is(files: JobFiles) -> None:
    files.put("a", "image", b"0123456789")
    assert (files.size("a", "image"), files.part("a", "image", 3, 6)) == (10, b"345")
    assert files.part("a", "image", 8, 20) == b"89"
    with pytest.raises(Expired):
        files.part("a", "mask", 0, 1)
    with pytest.raises(Expired):
        files.size("a", "mask")


def test_a_file_may_come_from_a_local_one(files: JobFiles, tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"large")
    files.put_file("a", "result", str(tmp_path / "made"))
    assert (files.get("a", "result"), files.total("a")) == (b"large", 5)
