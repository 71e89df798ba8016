"""On S3 files are kept as every store of files promises."""

from __future__ import annotations

import pytest

from cleanplate.contract.problems import StoreBusy
from cleanplate.runtime.files import JobFiles
from tests.promises.test_files import *  # noqa: F403 - the same tests
from tests.scale.servers import S3


def test_what_another_replica_wrote_is_seen_at_once(files: JobFiles) -> None:
    other = JobFiles(f"s3://{files._root}")
    assert (files.exists("a", "image"), files.total("a")) == (False, 0)
    other.put("a", "image", b"one")
    assert (files.exists("a", "image"), files.total("a")) == (True, 3)
    other.put("a", "image", b"three")
    assert (files.size("a", "image"), files.get("a", "image")) == (5, b"three")


def test_a_store_of_files_that_is_away_is_busy(s3: S3, files: JobFiles) -> None:
    s3.stop()
    with pytest.raises(StoreBusy, match="store of files"):
        files.get("a", "image")
    s3.start()
    files.put("a", "image", b"one")
