"""How long a flow pauses between its tries, and what it gives up at; nobody waits for it here."""

from __future__ import annotations

import random

import pytest

from cleanplate.client import ClientError, Refused, Unreachable, retries
from cleanplate.client.flows import Call, Flows, Pause
from cleanplate.client.retries import Retries


@pytest.fixture(autouse=True)
def real_pauses(no_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.5)


def busy(retry_after_s: float | None) -> Refused:
    return Refused(429, "queue_full", "full", None, retry_after_s)


def test_pauses_grow_to_a_limit_and_no_two_callers_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    def pauses() -> list[float]:
        tries = Retries(8)
        return [tries.pause_s(Unreachable()) for _ in range(8)]

    assert pauses() != pauses()
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    assert pauses() == [0.5, 1, 2, 4, 8, 10, 10, 10]


def test_a_backend_that_says_when_is_asked_then_and_not_before() -> None:
    tries = Retries(3)
    assert 7 <= tries.pause_s(busy(7)) <= 8.75
    assert tries.pause_s(busy(0)) == 0


@pytest.mark.parametrize("error", [busy(3600), Refused(409, "conflict", "no", None), ClientError()])
def test_what_does_not_pass_soon_is_not_waited_for(error: ClientError) -> None:
    with pytest.raises(type(error)):
        Retries(3).pause_s(error)


def test_what_works_in_between_is_counted_anew() -> None:
    tries = Retries(1)
    tries.pause_s(Unreachable())
    tries.succeeded()
    tries.pause_s(Unreachable())
    with pytest.raises(Unreachable):
        tries.pause_s(Unreachable())


def test_a_flow_pauses_and_asks_the_same_again() -> None:
    call = Call("GET", "/readyz")
    flow = Flows(retries=2, wait_s=30).ask(call)
    assert next(flow) is call
    pause = flow.throw(busy(2))
    assert isinstance(pause, Pause)
    assert pause.seconds >= 2
    assert flow.send(None) is call
