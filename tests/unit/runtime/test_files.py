"""Files of jobs in a folder; what every store of files promises is tested with the promises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleanplate.runtime.files import JobFiles


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
