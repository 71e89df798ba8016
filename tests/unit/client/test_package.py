"""The client as somebody has it who installed it alone: httpx, and none of the services' libraries."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cleanplate

SERVICES_ONLY = ("aiohttp", "fastapi", "fsspec", "numpy", "PIL", "pydantic", "sqlalchemy", "starlette", "uvicorn")
ALONE = f"""
import sys
for name in (*{SERVICES_ONLY}, "cleanplate.contract", "cleanplate.runtime"):
    sys.modules[name] = None
import cleanplate
before = set(sys.modules)
from cleanplate import AsyncClient, Client
assert "httpx" in sys.modules and "httpx" not in before
with Client() as client:
    print(type(client).__module__)
"""


def test_the_client_needs_httpx_alone_and_is_not_imported_before_it_is_asked_for(root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=root / "shared", capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("cleanplate.client.synchronous", "")


def test_the_package_asks_for_httpx_alone(root: Path) -> None:
    project = tomllib.loads((root / "shared" / "pyproject.toml").read_text())["project"]
    assert [each.partition(">")[0] for each in project["dependencies"]] == ["httpx"]
    assert "pydantic" in " ".join(project["optional-dependencies"]["services"])
    assert (root / "shared" / "cleanplate" / "py.typed").exists()


def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(AttributeError, match="'Klient'"):
        getattr(cleanplate, "Klient")  # noqa: B009
