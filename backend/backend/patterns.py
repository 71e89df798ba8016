"""Regular expressions of clients, tried on texts within a time limit.

Some take longer than anybody lives, and Python's `re` holds the interpreter while it searches: no thread could be
stopped, and all others would stand still. So each trial has a process of its own, which is killed when time is up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from backend import pattern_process
from cleanplate.contract.problems import Invalid

LIMIT_S = 5.0


def found(patterns: Mapping[str, str], texts: Sequence[str], limit_s: float = LIMIT_S) -> dict[str, list[bool]]:
    """Return by pattern, in the order of the texts, whether it is found in each. Blocking.

    Raises:
        Invalid: a pattern is none, or the search takes too long.
    """
    if not patterns:
        return {}
    asked = json.dumps({"patterns": patterns, "texts": list(texts)})
    command = [sys.executable, "-I", "-S", "-W", "ignore", pattern_process.__file__]
    try:
        done = subprocess.run(command, input=asked.encode(), capture_output=True, timeout=limit_s, check=True)
    except subprocess.TimeoutExpired:
        raise Invalid(f"takes longer than {limit_s:g} s", field=_fields(patterns), limit=limit_s) from None
    except subprocess.CalledProcessError:
        raise Invalid("cannot be searched for", field=_fields(patterns)) from None
    answer = json.loads(done.stdout)
    if "wrong" in answer:
        raise Invalid(f"is no regular expression: {answer['why']}", field=_fields([answer["wrong"]]))
    told: dict[str, list[bool]] = answer["found"]
    return told


def _fields(names: Mapping[str, str] | Sequence[str]) -> str:
    return ", ".join(f"options.{name}" for name in names)
