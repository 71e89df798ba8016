"""Keys: the right one lets in, everything else does not."""

from __future__ import annotations

import pytest

from cleanplate.contract.problems import Forbidden, Unauthorized
from cleanplate.runtime.access import ANONYMOUS, Caller, Keys, Scope, is_loopback, parsed, seen_by

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
    Keys([], ["https://friend.example/"], hosts=["own.example"]).check_origin(origin, host)


@pytest.mark.parametrize("origin", [None, "http://rebound.example:8000"])
def test_without_keys_a_page_cannot_make_its_own_domain_this_service(origin: str | None) -> None:
    host = "rebound.example:8000"
    with pytest.raises(Forbidden, match="HOSTS"):
        Keys([]).check_origin(origin, host)
    Keys([], hosts=["Rebound.example"]).check_origin(origin, host)
    Keys(["key"]).check_origin(origin, host)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1:9000"])
def test_without_keys_a_strangers_page_may_not(origin: str) -> None:
    with pytest.raises(Forbidden):
        Keys([], ["https://friend.example"]).check_origin(origin, "127.0.0.1:8000")
    Keys([], ["*"]).check_origin(origin, "127.0.0.1:8000")
    Keys(["key"]).check_origin(origin, "127.0.0.1:8000")


@pytest.mark.parametrize(
    ("item", "key", "scopes"),
    [
        ("plain", "plain", {"read", "submit"}),
        ("plain=read", "plain", {"read"}),
        ("plain=submit+read", "plain", {"read", "submit"}),
        ("plain=submit", "plain", {"submit"}),
        ("plain=admin", "plain", {"admin"}),
        ("cGFkZGVk==", "cGFkZGVk==", {"read", "submit"}),
        ("cGFkZGVk===admin", "cGFkZGVk==", {"admin"}),
        ("a+b/c~d", "a+b/c~d", {"read", "submit"}),
    ],
)
def test_a_key_may_come_with_scopes(item: str, key: str, scopes: set[str]) -> None:
    assert parsed([item]) == {key: scopes}
    assert Keys([item]).owner(header(key)).scopes == scopes


def test_a_keys_owner_is_the_same_with_other_scopes() -> None:
    assert Keys(["key"]).owner("Bearer key") == Keys(["key=admin"]).owner("Bearer key")


@pytest.mark.parametrize("items", [
    ["secret=raed"], ["secret=read,submit"], ["secret=read+"], ["secret=+"], ["secret=READ"], ["=admin"],
    ["secret", "secret=read"],
])  # fmt: skip
def test_scopes_that_are_not_clear_are_refused_without_a_key_in_the_message(items: list[str]) -> None:
    with pytest.raises(ValueError, match=f"^entry {len(items)}: ") as refused:
        parsed(items)
    assert "secret" not in str(refused.value)
    assert "raed" not in str(refused.value)


@pytest.mark.parametrize(("has", "may"), [
    ([Scope.READ], {Scope.READ}), ([Scope.SUBMIT], {Scope.SUBMIT}), ([Scope.ADMIN], set(Scope)), ([], set()),
])  # fmt: skip
def test_a_scope_allows_what_it_says_and_admin_everything(has: list[Scope], may: set[Scope]) -> None:
    for scope in Scope:
        if scope in may:
            Caller("me", has).check(scope)
            continue
        with pytest.raises(Forbidden) as refused:
            Caller("me", has).check(scope)
        assert refused.value.extra == {"scope": scope.value}
        assert scope in refused.value.detail


def test_only_an_admin_sees_what_others_own() -> None:
    assert seen_by(Caller("me", [Scope.ADMIN])) is None
    assert seen_by(Caller("me", [Scope.READ, Scope.SUBMIT])) == seen_by("me") == "me"
    assert seen_by(Caller(ANONYMOUS)) == ANONYMOUS
    assert seen_by(None) is None
