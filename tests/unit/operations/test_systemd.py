"""The systemd units name what is there."""

from __future__ import annotations

import plistlib
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from backend.settings import BackendSettings
from cleanplate.runtime.settings import ServiceSettings
from inpaint_service.settings import InpaintSettings
from ocr_service.settings import OcrSettings

SERVICES: dict[str, type[ServiceSettings]] = {
    "backend": BackendSettings,
    "inpaint-service": InpaintSettings,
    "ocr-service": OcrSettings,
}
NOT_OURS = {"HOME", "HF_HUB_OFFLINE", "ORT_DISABLE_TELEMETRY"}


@pytest.fixture
def units(root: Path) -> Path:
    return root / "compose" / "systemd"


def test_the_target_wants_the_three_services(root: Path, units: Path) -> None:
    wanted = re.findall(r"cleanplate@([\w-]+)\.service", (units / "cleanplate.target").read_text())
    assert sorted(wanted) == sorted(SERVICES)
    for service in wanted:
        assert (root / service / "pyproject.toml").is_file()
        assert find_spec(service.replace("-", "_") + ".__main__")
    drop_ins = {folder.name for folder in units.glob("*.d")}
    assert drop_ins <= {f"cleanplate@{service}.service.d" for service in SERVICES}


def test_every_variable_is_a_setting(units: Path) -> None:
    known = {name for settings in SERVICES.values() for name, _, _ in settings.names()} | NOT_OURS
    unit = (units / "cleanplate@.service").read_text()
    named = {
        name for line in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE) for name in re.findall(r"(\w+)=", line)
    }
    example = set(re.findall(r"^#(\w+)=", (units / "cleanplate.env").read_text(), re.MULTILINE))
    assert named | example <= known
    for service, settings in SERVICES.items():
        own = {name for name, _, _ in settings.names()}
        assert {name for name in own if name.endswith(("_HOST", "_DATA"))} <= named, service


def test_the_tunnel_of_a_mac_is_that_of_linux(units: Path) -> None:
    start = re.search(r"^ExecStart=(.*)$", (units / "cleanplate-tunnel@.service").read_text(), re.MULTILINE)
    assert start is not None
    mac = plistlib.loads((units / "cleanplate.tunnel.plist").read_bytes())
    assert [word.replace("HOST", "%i") for word in mac["ProgramArguments"]] == shlex.split(start[1])
    assert f":127.0.0.1:{OcrSettings().port}" in start[1]
