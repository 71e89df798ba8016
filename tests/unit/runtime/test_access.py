"""Keys: the right one lets in, everything else does not."""

from __future__ import annotations

import pytest

from cleanplate.contract.problems import Forbidden, Unauthorized
from cleanplate.runtime.access import ANONYMOUS, Keys, is_loopback

KEYS = Keys(["first", "second", "", "schlüssel à"])


def header(key: str) -> str:
    """The header as it arrives: its bytes, read as Latin-1."""
    return f"Bearer {key}".encode().decode("latin-1")


def test_every_key_has_an_owner_of_its_own() -> None:
    owners = {KEYS.owner(header(key)) for key in ("first", "second", "schlüssel à")}
    assert len(owners) == 3
    assert not owners & {ANONYMOUS, "first", "second"}
    assert KEYS.owner("bearer  first ") == KEYS.owner("Bearer first") == Keys(["first"]).owner("BEARER first")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "first",
        "Basic first",
        "Bearer firs",
        "Bearer first,second",
        "Bearer first second",
        "Bearer FIRST",
        "Bearer \xff\xfe",
        "Bearer 好",
        "Bearer \ud800",
        header("schlussel a"),
        "Bearer " + "x" * 100_000,
    ],
)
def test_no_key_and_a_wrong_one_are_the_same_refusal(authorization: str | None) -> None:
    with pytest.raises(Unauthorized) as refused:
        KEYS.owner(authorization)
    assert str(refused.value) == "send the header Authorization: Bearer <key>"


def test_without_keys_everybody_is_anonymous() -> None:
    for authorization in (None, "Bearer anything"):
        assert Keys([""]).owner(authorization) == ANONYMOUS


@pytest.mark.parametrize(("host", "loopback"), [
    ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
    ("0.0.0.0", False), ("::", False), ("", False), ("10.0.0.1", False), ("localhost.evil.test", False),
])  # fmt: skip
def test_what_only_this_machine_can_reach(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("https://Own.example", "own.example"),
        ("https://friend.example", "127.0.0.1:8000"),
    ],
)
def test_without_keys_own_pages_and_friends_may_call(origin: str | None, host: str) -> None:
    Keys([], ["https://friend.example/"]).check_origin(origin, host)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1:9000"])
def test_without_keys_a_strangers_page_may_not(origin: str) -> None:
    with pytest.raises(Forbidden):
        Keys([], ["https://friend.example"]).check_origin(origin, "127.0.0.1:8000")
    Keys([], ["*"]).check_origin(origin, "127.0.0.1:8000")
    Keys(["key"]).check_origin(origin, "127.0.0.1:8000")
