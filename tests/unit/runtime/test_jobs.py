"""States and ids."""

from __future__ import annotations

import pytest

from cleanplate.contract.problems import Invalid
from cleanplate.runtime import jobs
from cleanplate.runtime.jobs import ACTIVE, FINAL, TRANSITIONS, State, checked_id, is_id, iso, new_id

UNSAFE = ["", ".", "..", "../a", "a/b", "a\\b", "-a", ".a", "_a", "a b", "a\n", "ä", "a\0", "²", "\ud800", "a" * 101]

# Read off the drawing by hand: each arrow, from its tail to its head.
ARROWS = {
    ("queued", "running"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("failed", "queued"),
    ("succeeded", "queued"),
    ("running", "queued"),
    ("running", "cancelled"),
    ("queued", "cancelled"),
    ("queued", "failed"),
}


def test_the_table_holds_the_arrows_of_the_drawing_and_no_other() -> None:
    assert {(source.value, target.value) for source, targets in TRANSITIONS.items() for target in targets} == ARROWS


def test_the_drawing_has_as_many_heads_as_the_table_has_moves() -> None:
    lines = (jobs.__doc__ or "").splitlines()
    drawing = "\n".join(line for line in lines[1:])
    assert drawing.count("►") + drawing.count("▲") == len(ARROWS)
    assert {state.value for state in State} <= set(drawing.replace("►", " ").split())


def test_every_state_is_in_the_table_and_only_a_client_leads_out_of_an_end() -> None:
    assert set(TRANSITIONS) == set(State) == FINAL | ACTIVE
    assert {state for state in FINAL if TRANSITIONS[state]} == {State.FAILED, State.SUCCEEDED}
    assert not any(state in targets for state, targets in TRANSITIONS.items())


@pytest.mark.parametrize("value", UNSAFE)
def test_an_id_that_is_not_safe_in_a_path_is_refused(value: str) -> None:
    assert not is_id(value)
    with pytest.raises(Invalid) as refused:
        checked_id(value, "task_id")
    assert refused.value.field == "task_id"


@pytest.mark.parametrize("value", ["a", "0", "a.b-c_d", "a" * 100, "A..b"])
def test_a_safe_id_is_taken_as_it_is(value: str) -> None:
    assert checked_id(value, "task_id") == value


def test_new_ids_are_safe_and_all_different() -> None:
    made = {new_id() for _ in range(100)}
    assert len(made) == 100
    assert all(is_id(value) for value in made)


def test_times_are_utc_with_milliseconds_and_z() -> None:
    assert iso(0.0) == "1970-01-01T00:00:00.000Z"
    assert iso(1_700_000_000.1239) == "2023-11-14T22:13:20.123Z"
    assert iso(None) is None
