"""Who may call: API keys, compared in constant time. A key's owner sees only what was submitted with that key."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from cleanplate.contract.problems import Forbidden, Unauthorized

ANONYMOUS = ""


class Keys:
    """The keys that are valid; none at all lets everybody in as one anonymous owner.

    Everybody, but not every web page: without keys a browser would let any page on the internet talk to a service on
    this machine, so a page's calls are taken from the service's own origin and from `origins` only.
    """

    def __init__(self, keys: Sequence[str], origins: Sequence[str] = ()):
        self._keys = tuple(key.encode() for key in keys if key)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Refuse a web page of a stranger where no key keeps it out.

        Args:
            origin: the Origin header, which browsers send and other clients do not.
            host: the Host header.

        Raises:
            Forbidden: the page is neither this service's nor of a known origin.
        """
        if self._keys or origin is None or "*" in self._origins:
            return
        if origin.lower() not in self._origins and origin.lower().partition("://")[2] != (host or "").lower():
            raise Forbidden("web pages of other origins may not call; allow them by the setting ORIGINS or use keys")

    def owner(self, authorization: str | None) -> str:
        """Return the owner that an Authorization header speaks for. Raises Unauthorized."""
        if not self._keys:
            return ANONYMOUS
        scheme, _, given = (authorization or "").partition(" ")
        sent = given.encode("latin-1", "backslashreplace").strip()  # the header's bytes, as they came
        found = None
        for key in self._keys:  # every key is compared, so the time tells nothing
            if hmac.compare_digest(key, sent):
                found = key
        if found is None or scheme.lower() != "bearer":
            raise Unauthorized("send the header Authorization: Bearer <key>")
        return hashlib.sha256(found).hexdigest()[:16]


def require_owner(connection: HTTPConnection) -> str:
    """Return the caller's owner; routes and WebSockets depend on it."""
    keys: Keys = connection.app.state.keys
    keys.check_origin(connection.headers.get("origin"), connection.headers.get("host"))
    return keys.owner(connection.headers.get("authorization"))


Owner = Annotated[str, Depends(require_owner)]


def is_loopback(host: str) -> bool:
    """Say whether a service that listens on this host can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
