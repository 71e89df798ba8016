"""What the README tells a newcomer to type, typed."""

from __future__ import annotations

import re
import shlex
import shutil
from io import BytesIO
from pathlib import Path

import pytest
import requests
from PIL import Image

from backend.cli.services import Services
from tests.conftest import ROOT
from tests.e2e.jobs import PATIENCE_S

PORTS = {8000: "backend", 8081: "inpaint-service", 8082: "ocr-service"}
README = (ROOT / "README.md").read_text()
CURLS = [block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if block.startswith("curl")]
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def here(text: str, services: Services) -> str:
    """Say the address of the running services instead of the usual one."""
    for port, name in PORTS.items():
        text = text.replace(f"http://127.0.0.1:{port}", services.urls[name])
    return text


@pytest.mark.parametrize("curl", CURLS)
def test_the_curl_gives_a_picture(services: Services, folder: Path, curl: str) -> None:
    """As curl would do it, which need not be installed."""
    words = shlex.split(here(curl, services).replace("\\\n", " "))
    assert (words[0], words[-2:]) == ("curl", ["-o", "clean.png"])
    fields = [words[index + 1].split("=", 1) for index, word in enumerate(words) if word == "-F"]
    files = {name: (folder / value[1:]).read_bytes() for name, value in fields if value.startswith("@")}
    form = {name: value for name, value in fields if not value.startswith("@")}
    url = next(word for word in words if word.startswith("http"))
    answer = requests.post(url, files=files, data=form, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    with Image.open(BytesIO(answer.content)) as picture:
        assert min(picture.size) >= 700


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_the_snippet_gives_a_picture(services: Services, folder: Path, snippet: str) -> None:
    exec(compile(here(snippet, services), "README.md", "exec"), {})
    assert (folder / "clean.png").read_bytes()[:4] == b"\x89PNG"


def test_the_readme_has_a_curl_and_a_snippet() -> None:
    assert (len(CURLS), len(SNIPPETS)) == (2, 1)
