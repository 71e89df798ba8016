"""The systemd units, as systemd reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.compose.project import SERVICES, output
from tests.conftest import ROOT

UNITS = ("cleanplate.target", *(f"cleanplate@{service}.service" for service in SERVICES))
MOST_EXPOSED = 20  # of 100; a unit without hardening has 96


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Where the units are, besides those of the system; a copy, since a unit that all may write to is warned of."""
    shutil.copytree(ROOT / "compose" / "systemd", tmp_path / "units")
    return {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path / 'units'}:"}


@pytest.mark.parametrize("unit", [*UNITS, "cleanplate-tunnel@vps.service"])
def test_systemd_has_nothing_against_a_unit(environ: dict[str, str], unit: str) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, env=environ, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_little(environ: dict[str, str], service: str) -> None:
    command = ("systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED}")
    output(*command, f"cleanplate@{service}.service", env=environ)
