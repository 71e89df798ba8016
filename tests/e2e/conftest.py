"""The three real services with their real weights, and real pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.cli.services import Services
from tests.conftest import ROOT

TESTSET = ROOT.parent / "shared" / "testset"
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The three services, started once for all tests that do no harm to them."""
    with Services(ROOT, tmp_path_factory.mktemp("services")) as running:
        yield running


def all_test_pictures() -> list[Path]:
    """Every picture of the test set; its absence is a failure in CI and elsewhere a test set of none."""
    found = sorted(path for path in TESTSET.rglob("*") if path.suffix.lower() in PICTURES)
    if not found and os.environ.get("CI"):
        pytest.fail(f"the test set is not at {TESTSET}")
    return found


def examples() -> list[Path]:
    return sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in PICTURES)
