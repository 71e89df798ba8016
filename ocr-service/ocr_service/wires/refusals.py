"""What older wires tell of a problem, each in a shape of its own: the words and the headers that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cleanplate.contract.problems import Problem
from cleanplate.runtime.web import answer

_KEPT = ("retry-after", "www-authenticate", "connection")


def headers(problem: Problem) -> dict[str, str]:
    """Return the headers that go with the problem, whatever its shape."""
    return {name: value for name, value in answer(problem).headers.items() if name in _KEPT}


def words(problem: Problem, client_names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return what is wrong, beginning with the field as the client knows it.

    Args:
        problem: its detail may begin with the field already.
        client_names: what clients of the wire call this service's own fields.
    """
    if not problem.field:
        return problem.detail
    name = client_names.get(problem.field, problem.field)
    return f"{name}: {problem.detail.removeprefix(problem.field).removeprefix(':').lstrip()}"
