"""`cleanplate lint` and `cleanplate test`: the tools of `tests/.venv`, one after the other, each to its end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from backend.cli.terminal import Terminal

PACKAGES = ("shared/cleanplate", "ocr-service/ocr_service", "inpaint-service/inpaint_service", "backend/backend")
LOOKED_AT = (*PACKAGES, "inpaint-service/training", "tests", "examples", "cleanplate")
FAST = ("tests/unit", "tests/promises")
LIVE = (("tests/wires",), ("tests/scale",), ("tests/faults",), ("tests/browser",), ("tests/e2e",))
ALL = (FAST, *LIVE)
COMPOSE = (("tests/compose",),)
ALONE = (*LIVE[1:], *COMPOSE)  # these start a browser or the real services, which take all there is

_NOTHING_SELECTED = 5  # pytest's exit code


def lint(root: Path, terminal: Terminal) -> int:
    """Run ruff and mypy; return the exit code of the first that found something."""
    tools = [
        ["ruff", "check", *LOOKED_AT],
        ["ruff", "format", "--check", *LOOKED_AT],
        ["mypy", "--strict", *PACKAGES, "inpaint-service/training", "tests"],
    ]
    codes = [_run(root, tool, terminal) for tool in tools]
    return next((code for code in codes if code != 0), 0)


def test(root: Path, rounds: Sequence[tuple[str, ...]], arguments: Sequence[str], terminal: Terminal) -> int:
    """Run lint, then the tests; return the first exit code that is not 0.

    Args:
        root: the folder with everything.
        rounds: the folders of tests of each run of pytest.
        arguments: for pytest; with a path among them only that is tested, in one round.
        terminal: is told what runs.
    """
    codes = [lint(root, terminal)]
    tested = []
    for folders in _rounds(root, rounds, arguments):
        spread = ["-n", "auto"] if folders and folders not in ALONE else []
        code = _run(root, ["pytest", *folders, *spread, *arguments], terminal)
        tested.append(code)
        codes.append(0 if code == _NOTHING_SELECTED else code)
    if all(code == _NOTHING_SELECTED for code in tested):
        terminal.fault("no test was selected")
        codes.append(_NOTHING_SELECTED)
    return next((code for code in codes if code != 0), 0)


def _rounds(root: Path, wanted: Sequence[tuple[str, ...]], arguments: Sequence[str]) -> list[tuple[str, ...]]:
    if any((root / argument.partition("::")[0]).exists() for argument in arguments if argument[:1] != "-"):
        return [()]
    rounds = [tuple(folder for folder in folders if (root / folder).is_dir()) for folders in wanted]
    return [folders for folders in rounds if folders]


def _run(root: Path, command: Sequence[str], terminal: Terminal) -> int:
    """Run a tool of the tests' environment in the root; return its exit code."""
    terminal.note(f"$ {' '.join(command)}")
    began = time.monotonic()
    program = root / "tests" / ".venv" / "bin" / command[0]
    environ = {**os.environ, "CLEANPLATE_ROOT": str(root)}
    try:
        code = subprocess.run([str(program), *command[1:]], cwd=root, env=environ, check=False).returncode
    except FileNotFoundError:
        terminal.fault(f"{program} is missing; `./cleanplate setup` installs it")
        return 1
    took = f"{time.monotonic() - began:.1f} s"
    terminal.note(f"{command[0]}: ok, {took}\n" if code == 0 else f"{command[0]}: exit code {code}, {took}\n")
    return code if code >= 0 else 128 - code
