"""Files of jobs: whole or not there, and never outside their folder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from cleanplate.contract.problems import Expired, Invalid
from cleanplate.runtime.files import JobFiles
from tests.unit.runtime.test_jobs import UNSAFE


@pytest.fixture(params=["local", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> JobFiles:
    return JobFiles(str(tmp_path / "files") if request.param == "local" else f"memory://{tmp_path.name}/files")


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


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = JobFiles(str(tmp_path / "files"))
    files.put("a", "image", b"old")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        files.put("a", "image", b"new")
    assert files.get("a", "image") == b"old"
    assert os.listdir(tmp_path / "files" / "a") == ["image"]


def test_a_file_is_written_beside_its_place_and_not_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    files = JobFiles(str(tmp_path / "files"))
    files.put("a", "image", b"data")
    assert files.get("a", "image") == b"data"


def test_files_that_belong_to_no_job_do_not_count(tmp_path: Path) -> None:
    files = JobFiles(str(tmp_path))
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "lost found").mkdir()
    (tmp_path / "lost found" / "x").write_bytes(b"x")
    assert files.usage() == []


@pytest.fixture(autouse=True)
def _empty_memory() -> None:
    fsspec.filesystem("memory").store.clear()
