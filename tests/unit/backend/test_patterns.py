"""Regular expressions of clients: what they find, and that none of them can hold the service."""

from __future__ import annotations

import pytest

from backend.patterns import found
from cleanplate.contract.problems import Invalid


def test_each_pattern_is_searched_for_in_each_text() -> None:
    texts = ["SALE", "50 %", "süß \ud800", ""]
    assert found({"match": r"\d+ %", "keep": "(?i)sale|ß"}, texts) == {
        "match": [False, True, False, False],
        "keep": [True, False, True, False],
    }


def test_without_patterns_nothing_is_told() -> None:
    assert found({}, ["SALE"]) == {}


@pytest.mark.parametrize("pattern", ["(", "*", "(?P<a>x)(?P<a>y)", "a{2,1}", "(?<=a+)b"])
def test_what_is_no_pattern_is_refused_by_its_name(pattern: str) -> None:
    with pytest.raises(Invalid, match="no regular expression") as refused:
        found({"match": "fine", "keep": pattern}, [])
    assert refused.value.field == "options.keep"


def test_a_search_that_would_not_end_is_ended() -> None:
    with pytest.raises(Invalid, match="takes longer"):
        found({"match": "(a+)+$"}, ["a" * 60 + "b"], limit_s=0.5)


def test_a_search_that_dies_is_told_of() -> None:
    with pytest.raises(Invalid, match="cannot be searched"):
        found({"match": "x"}, [None])  # type: ignore[list-item]  # what is no text kills the search
