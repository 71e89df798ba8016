"""By which names a service may be called while no key is needed.

A stranger's page may give its own domain the address of this machine (DNS rebinding). To the browser it then calls its
own origin; but its calls still carry the domain as `Host`. An address is no domain, and a name without a dot is none
that can be bought.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from cleanplate.contract.problems import Forbidden


class Hosts:
    """The names that are known, beside addresses, names without a dot, and those below `localhost`; `*` is all."""

    def __init__(self, known: Iterable[str] = ()):
        self._known = frozenset(name.lower() for name in known)

    def check(self, host: str | None) -> None:
        """Refuse a call by another name.

        Args:
            host: the Host header; browsers always send one.

        Raises:
            Forbidden: nobody knows this name.
        """
        if host is None or "*" in self._known:
            return
        name = _name(host)
        if not (name in self._known or "." not in name or name.endswith(".localhost") or _is_address(name)):
            raise Forbidden("this service is not known by that name; allow it by the setting HOSTS or use keys")


def _name(host: str) -> str:
    """Return the host without its port, as it is compared; of what is none, a name that nobody has."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return "."


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
