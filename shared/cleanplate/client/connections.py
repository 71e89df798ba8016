"""How a client speaks HTTP with its backend: what httpx is told, the same for both clients."""

from __future__ import annotations

import ipaddress
from typing import Any

import httpx

import cleanplate
from cleanplate.client.flows import Call

CONNECT_TIMEOUT_S = 10.0
WAIT_S = 30.0
SILENCE_S = 45.0
"""For how long a stream of events may be silent: a backend that has nothing to tell says so every 15 s."""


class Connection:
    """What is known of the backend.

    Raises:
        ValueError: the URL is none of HTTP.
    """

    def __init__(self, url: str, key: str | None, timeout: float):
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError(f"{url!r} is no URL like http://127.0.0.1:8000")
        self.url = url.rstrip("/")
        self.wait_s = min(WAIT_S, timeout / 2)
        self._headers = {"User-Agent": f"cleanplate/{cleanplate.__version__}"}
        self._headers |= {"Authorization": f"Bearer {key}"} if key else {}
        connect_s = min(CONNECT_TIMEOUT_S, timeout)
        self._timeout = httpx.Timeout(timeout, connect=connect_s)
        self._stream_timeout = httpx.Timeout(timeout, connect=connect_s, read=SILENCE_S)
        self._trust_env = not _is_loopback(parsed.host)

    def options(self) -> dict[str, Any]:
        """Return what a client of httpx is made with. No proxy leads to this machine itself."""
        return {
            "base_url": self.url,
            "headers": self._headers,
            "timeout": self._timeout,
            "trust_env": self._trust_env,
            "limits": httpx.Limits(max_connections=None, max_keepalive_connections=20),
        }

    def request(self, call: Call, *, stream: bool = False) -> dict[str, Any]:
        """Return what a request of httpx is made with."""
        return {
            **{name: value for name, value in vars(call).items() if value is not None and name != "path"},
            "url": call.path,
            "timeout": self._stream_timeout if stream else self._timeout,
        }


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
