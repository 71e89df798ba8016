"""Who may call: API keys, compared in constant time. A key's owner sees only what was submitted with that key."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from cleanplate.contract.problems import Unauthorized

ANONYMOUS = ""


class Keys:
    """The keys that are valid; none at all lets everybody in as one anonymous owner."""

    def __init__(self, keys: Sequence[str]):
        self._keys = tuple(key.encode() for key in keys if key)

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
    return keys.owner(connection.headers.get("authorization"))


Owner = Annotated[str, Depends(require_owner)]


def is_loopback(host: str) -> bool:
    """Say whether a service that listens on this host can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
