"""Shell completion, as bash does it, and what the scripts for the other shells ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.cli.completions import VARIABLE

COMPLETE = """
source "$1"
complete -p cleanplate > /dev/null
COMP_WORDS=({words}) COMP_CWORD={last}
_cleanplate_completion
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the command line into a folder with an odd name."""
    program = tmp_path / "a user's folder" / "cleanplate"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m backend.cli "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("CLEANPLATE_ROOT", str(program.parent))
    return program


def script(shell: str) -> str:
    done = CliRunner().invoke(app.app, ["completion", shell])
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("./cleanplate wa", ["watch"]),
        ("~/x/cleanplate erase --mask-mode p", ["polygon"]),
    ],
)
def test_bash_completes(installed: Path, tmp_path: Path, words: str, found: list[str]) -> None:
    (tmp_path / "completion.sh").write_text(script("bash"))
    text = COMPLETE.format(words=words.replace("~", "\\~"), last=len(words.split()) - 1)
    bash = ["bash", "--norc", "-euc", text, "bash", str(tmp_path / "completion.sh")]
    done = subprocess.run(bash, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout.splitlines(), done.stderr) == (found, "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_ask_the_same_program(installed: Path, shell: str) -> None:
    said = script(shell)
    assert f"{VARIABLE}" in said
    assert f"complete_{shell}" in said
    assert str(installed).replace("'", "'\\''") in said


def test_tab_installs_nothing(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "cleanplate", tmp_path)
    (tmp_path / "backend").mkdir()
    environ = os.environ | {VARIABLE: "complete_bash", "COMP_WORDS": "cleanplate", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, str(tmp_path / "cleanplate")], env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert list((tmp_path / "backend").iterdir()) == []
