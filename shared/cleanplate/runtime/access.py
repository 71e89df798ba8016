"""Who may call, and do what: API keys and their scopes, and in a browser the cookie of who signed in.

A key's owner sees only what was submitted with that key; a key with the scope `admin` sees everything.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Self

from fastapi import Depends
from starlette.requests import HTTPConnection

from cleanplate.contract.problems import Forbidden, Unauthorized
from cleanplate.runtime.hosts import Hosts

if TYPE_CHECKING:  # it signs cookies with a library that services without a login do not have
    from cleanplate.runtime.sessions import Sessions

ANONYMOUS = ""
CONSOLE = "console"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Scope(StrEnum):
    """What a key is for."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


USUAL = frozenset({Scope.READ, Scope.SUBMIT})


class Caller(str):
    """The owner of what this caller submits, which knows what the caller may do."""

    scopes: frozenset[Scope]

    def __new__(cls, owner: str, scopes: Iterable[Scope] = USUAL) -> Self:
        """Return the owner's name, with the scopes."""
        made = super().__new__(cls, owner)
        made.scopes = frozenset(scopes)
        return made

    def check(self, scope: Scope) -> None:
        """Raise Forbidden without this scope; `admin` has them all."""
        if not self.scopes & {scope, Scope.ADMIN}:
            raise Forbidden(f"this needs a key with the scope {scope}", scope=scope.value)


def seen_by(owner: str | None) -> str | None:
    """Return whose jobs this owner may see and change: its own, or everybody's (None) with the scope `admin`."""
    return None if isinstance(owner, Caller) and Scope.ADMIN in owner.scopes else owner


def parsed(keys: Sequence[str]) -> dict[str, frozenset[Scope]]:
    """Return the scopes of each key of a setting: `key`, or `key=read`, `key=submit+read`, `key=admin`.

    A bearer token has `=` at its end only, so what follows one is no part of a key.

    Raises:
        ValueError: scopes that are not known, no key, or one key with different scopes; the keys are not repeated.
    """
    found: dict[str, frozenset[Scope]] = {}
    for number, item in enumerate(filter(None, keys), 1):
        key, equals, names = item.rpartition("=")
        scopes = USUAL
        if not equals or not names:
            key = item
        elif not set(names.split("+")) <= set(Scope):
            raise ValueError(f"entry {number}: known scopes are {', '.join(Scope)}, joined by +")
        else:
            scopes = frozenset(map(Scope, names.split("+")))
        if not key or found.setdefault(key, scopes) != scopes:
            raise ValueError(f"entry {number}: there is no key, or it has other scopes in an entry before")
    return found


class Keys:
    """The keys that are valid; none at all lets everybody in as one anonymous owner, unless there is a login.

    Everybody, but not every web page: without keys a browser would let any page on the internet talk to a service on
    this machine, so a page's calls are taken from the service's own origin and from `origins` only. What its own origin
    is nobody says but the page's domain, so the service may be called by the names in `hosts` only; see there.
    """

    def __init__(
        self,
        keys: Sequence[str],
        origins: Sequence[str] = (),
        sessions: Sessions | None = None,
        hosts: Iterable[str] = (),
    ):
        self._keys = {
            key.encode(): Caller(hashlib.sha256(key.encode()).hexdigest()[:16], scopes)
            for key, scopes in parsed(keys).items()
        }
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._sessions = sessions
        self._hosts = Hosts(hosts)

    def admit(self, connection: HTTPConnection, authorization: str | None) -> Caller:
        """Return who calls, by an Authorization header or the cookie of a login.

        Raises:
            Unauthorized: nobody known.
            Forbidden: the key is not for this kind of call, or a web page asks that may not.
        """
        caller = self._caller(connection, authorization)
        caller.check(_needed(connection))
        return caller

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Refuse a web page of a stranger where no key keeps it out.

        Args:
            origin: the Origin header, which browsers send and other clients do not.
            host: the Host header.

        Raises:
            Forbidden: the page is neither this service's nor of a known origin, or the host is not this service.
        """
        if self._keys or "*" in self._origins:
            return
        if self._sessions is None:
            self._hosts.check(host)
        if origin is None:
            return
        if origin.lower() not in self._origins and not is_own(origin, host):
            raise Forbidden("web pages of other origins may not call; allow them by the setting ORIGINS or use keys")

    def owner(self, authorization: str | None) -> Caller:
        """Return the owner that an Authorization header speaks for. Raises Unauthorized."""
        if not self._keys and self._sessions is None:
            return Caller(ANONYMOUS)
        scheme, _, given = (authorization or "").partition(" ")
        sent = given.encode("latin-1", "backslashreplace").strip()  # the header's bytes, as they came
        found = None
        for key, owner in self._keys.items():  # every key is compared, so the time tells nothing
            if hmac.compare_digest(key, sent):
                found = owner
        if found is None or scheme.lower() != "bearer":
            raise Unauthorized("send the header Authorization: Bearer <key>" if self._keys else "sign in first")
        return found

    def _caller(self, connection: HTTPConnection, authorization: str | None) -> Caller:
        by_key = self._keys and authorization is not None
        if self._sessions is not None and not by_key and self._sessions.signed_in(connection):
            self._sessions.check_page(connection)
            return Caller(CONSOLE if self._keys else ANONYMOUS)
        self.check_origin(connection.headers.get("origin"), connection.headers.get("host"))
        return self.owner(authorization)


def is_own(origin: str, host: str | None) -> bool:
    """Say whether a page of this origin came from the host that it calls."""
    return origin.lower().partition("://")[2] == (host or "").lower()


def require_owner(connection: HTTPConnection) -> Caller:
    """Return the caller's owner; routes and WebSockets depend on it."""
    keys: Keys = connection.app.state.keys
    return keys.admit(connection, connection.headers.get("authorization"))


Owner = Annotated[Caller, Depends(require_owner)]


def is_loopback(host: str) -> bool:
    """Say whether a service that listens on this host can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _needed(connection: HTTPConnection) -> Scope:
    """Return what a call is: a WebSocket, too, reads; what its commands change they check by themselves."""
    reads = connection.scope["type"] == "websocket" or connection.scope["method"] in SAFE_METHODS
    return Scope.READ if reads else Scope.SUBMIT
