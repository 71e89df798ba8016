"""The tree of problems is what its drawing says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from cleanplate.contract import problems
from cleanplate.contract.problems import Problem, QueueFull

LINE = re.compile(r"(?P<indent>[│ ]*)[├└]── (?P<name>\w+) +(?P<status>\d{3})  \S")


def drawn() -> list[tuple[str, str, int]]:
    """Return (class, the class it hangs on, status), from top to bottom."""
    found, above = [], ["Problem"]
    for line in (problems.__doc__ or "").splitlines():
        if match := LINE.match(line):
            depth = len(match["indent"]) // 4 + 1
            del above[depth:]
            found.append((match["name"], above[-1], int(match["status"])))
            above.append(match["name"])
    return found


def classes(of: type[Problem] = Problem) -> Iterator[tuple[str, str, int]]:
    for cls in of.__subclasses__():
        if cls.__module__ == problems.__name__:
            yield cls.__name__, of.__name__, cls.status
            yield from classes(cls)


KINDS = [getattr(problems, name) for name, _, _ in classes()]


def test_the_drawing_shows_every_class_where_it_is() -> None:
    assert drawn()
    assert sorted(drawn()) == sorted(classes())


def test_every_code_is_its_own() -> None:
    codes = [cls.code for cls in KINDS]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("cls", KINDS)
def test_every_problem_has_a_message_of_its_own(cls: type[Problem]) -> None:
    assert vars(cls).get("__doc__")
    assert cls.title().endswith(".")
    assert cls().detail == str(cls()) == cls.title()


@pytest.mark.parametrize("cls", KINDS)
def test_every_body_is_an_rfc_9457_problem(cls: type[Problem]) -> None:
    body = json.loads(json.dumps(cls("why", field="regions.0", limit=3).body("urn:request:1")))
    assert body == {
        "type": f"urn:cleanplate:problem:{cls.code}",
        "title": cls.title(),
        "status": cls.status,
        "detail": "why",
        "code": cls.code,
        "retryable": cls.retryable,
        "field": "regions.0",
        "instance": "urn:request:1",
        "limit": 3,
    }


def test_members_that_say_nothing_are_left_out() -> None:
    assert set(QueueFull().body()) == {"type", "title", "status", "detail", "code", "retryable"}


def test_only_what_may_pass_by_itself_is_worth_a_retry() -> None:
    assert {cls.status for cls in KINDS if cls.retryable} == {408, 409, 422, 429, 500, 502, 503, 504, 507}
    assert [cls.__name__ for cls in KINDS if cls.retryable and cls.status in (409, 422)] == ["FetchFailed", "NotReady"]
