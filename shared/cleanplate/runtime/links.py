"""Addresses, the service's own as its clients see it, and theirs: from settings, trusted proxies, the request."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from starlette.requests import HTTPConnection

_HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]{1,260}")
_FORWARDED = re.compile(r'(proto|host)="?([^";,]+)"?', re.IGNORECASE)


class Links:
    """Makes absolute URLs."""

    def __init__(self, public_url: str = "", trusted_proxies: Sequence[str] = ()):
        self._public_url = public_url.rstrip("/")
        self._trusted = [ipaddress.ip_network(proxy, strict=False) for proxy in trusted_proxies]

    def http(self, connection: HTTPConnection, path: str) -> str:
        """Give a path of this service as an http or https URL."""
        return self._base(connection) + path

    def fixed(self, path: str) -> str:
        """Give a path outside of any request: below the public address where that is set, else as a path."""
        return self._public_url + path

    def websocket(self, connection: HTTPConnection, path: str) -> str:
        """Give a path of this service as a ws or wss URL."""
        return "ws" + self._base(connection).removeprefix("http") + path

    def client(self, connection: HTTPConnection) -> str:
        """Return the address of who calls: the nearest one that is no trusted proxy."""
        address = connection.client.host if connection.client else ""
        told = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
        hops = [hop.strip() for hop in told if hop.strip()]
        while hops and self._is_trusted(address):
            address = hops.pop()
        return address

    def _base(self, connection: HTTPConnection) -> str:
        if self._public_url:
            return self._public_url
        url = connection.base_url
        own = scheme, host = "https" if url.scheme in ("https", "wss") else "http", url.netloc
        if self._is_trusted(connection.client.host if connection.client else ""):
            headers = connection.headers
            said = dict(reversed(_FORWARDED.findall(headers.get("forwarded", "").split(",")[0].lower())))
            scheme = said.get("proto") or headers.get("x-forwarded-proto", scheme).split(",")[0].strip()
            host = said.get("host") or headers.get("x-forwarded-host", host).split(",")[0].strip()
        if scheme not in ("http", "https") or not _HOST.fullmatch(host):
            scheme, host = own
        return f"{scheme}://{host}"

    def _is_trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._trusted)
