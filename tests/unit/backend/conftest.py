"""What tests of the pipeline may use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.intake import KIND
from cleanplate.runtime.board import Board
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.store.sql import SqlStore


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Board]:
    made = Board(KIND, SqlStore(f"sqlite:///{tmp_path}/jobs.db"), JobFiles(str(tmp_path / "files")), poll_s=0.05)
    yield made
    made.close()
