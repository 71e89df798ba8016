"""Signing in to a console with a password: a signed cookie, and a brake on guessing. For the console of any service."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import HTTPConnection
from starlette.responses import Response

from cleanplate.contract.problems import Forbidden, TooManyAttempts, Unauthorized
from cleanplate.runtime.access import SAFE_METHODS, is_own
from cleanplate.runtime.links import Links

MAX_AGE_S = 86_400
BURST, EVERY_S = 5, 12.0
ALL_BURST, ALL_EVERY_S = 100, 0.5
REMEMBERED = 1000
NETWORK_BITS = 48  # of an IPv6 address; the rest is at most one site's own choice
SIGNED_IN = b"signed-in"


class Sessions:
    """Who has signed in. Nothing is kept here: a cookie holds when it was given, signed; a new password ends them all.

    A page on another port of this host is of the same site to a browser, which then sends the cookie with what that
    page asks. So beside SameSite a call's origin is checked.
    """

    def __init__(
        self,
        password: str,
        secret: str,
        cookie: str,
        links: Links,
        *,
        secure: Literal["auto", "true", "false"] = "auto",
        max_age_s: int = MAX_AGE_S,
        brake: Brake | None = None,
        clock: Callable[[], float] = time.time,
    ):
        """Take the parts.

        Args:
            password: not empty.
            secret: what cookies are signed with, together with the password.
            cookie: its name; browsers do not tell the services on one host apart.
            links: says how this service is reached, and who asks.
            secure: whether the cookie is for https only; auto: when it was given over https.
            max_age_s: how long a cookie holds.
            brake: on guessing.
            clock: seconds since 1970.
        """
        self._password = _digest(password)
        self._signer = _Signer(_digest(secret) + self._password, clock)
        self._cookie = cookie
        self._links = links
        self._secure = secure
        self._max_age_s = max_age_s
        self._brake = Brake() if brake is None else brake

    def signed_in(self, connection: HTTPConnection) -> bool:
        """Say whether the caller's cookie is one of ours, and not too old."""
        try:
            return self._signer.unsign(connection.cookies.get(self._cookie, ""), self._max_age_s) == SIGNED_IN
        except BadSignature:
            return False

    def sign_in(self, connection: HTTPConnection, password: str, response: Response) -> None:
        """Give the cookie for the right password.

        Raises:
            Forbidden: another service's page asks.
            TooManyAttempts: passwords are being guessed.
            Unauthorized: it is another.
        """
        self.check_page(connection)
        name = _network(self._links.client(connection))
        self._brake.take(name)
        if not hmac.compare_digest(_digest(password), self._password):
            raise Unauthorized("this is not the password", field="password")
        self._brake.give_back(name)
        value = self._signer.sign(SIGNED_IN).decode()
        self._set(connection, response, value, self._max_age_s)

    def sign_out(self, connection: HTTPConnection, response: Response) -> None:
        """Take the cookie away. Raises Forbidden."""
        self.check_page(connection)
        self._set(connection, response, "", 0)

    def check_page(self, connection: HTTPConnection) -> None:
        """Refuse what the page of another origin asks in the name of who signed in.

        Raises:
            Forbidden: the page is not this service's; or no origin is told, and the browser says that it is another.
        """
        origin, headers = connection.headers.get("origin"), connection.headers
        if origin is not None:
            hosts = headers.get("host"), urlsplit(self._links.http(connection, "")).netloc
            own = any(is_own(origin, host) for host in hosts)
        else:
            reads = connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS
            own = reads or headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        if not own:
            raise Forbidden("web pages of other origins may not do this")

    def _set(self, connection: HTTPConnection, response: Response, value: str, max_age_s: int) -> None:
        https = self._links.http(connection, "").startswith("https:")
        secure = https if self._secure == "auto" else self._secure == "true"
        response.set_cookie(self._cookie, value, max_age_s, path="/", secure=secure, httponly=True, samesite="strict")


class Brake:
    """Lets a few attempts of each name through at once, and then one now and then.

    While all together are over a limit of their own, each name has one attempt at once instead of a few; so nobody
    keeps another from the first. Who is out of attempts waits seconds, not longer: behind one proxy there may be many.
    Names that have all of their attempts back are forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._full: dict[str, float] = {}  # when a name has all of its attempts back
        self._all_full = clock()
        self._tidy_at = REMEMBERED

    def take(self, name: str) -> None:
        """Take one attempt. Raises TooManyAttempts."""
        now = self._clock()
        own, of_all = max(self._full.get(name, now), now), max(self._all_full, now)
        burst = BURST if of_all - now <= (ALL_BURST - 1) * ALL_EVERY_S else 1
        wait_s = own - now - (burst - 1) * EVERY_S
        if wait_s > 0:
            raise TooManyAttempts(retry_after_s=math.ceil(wait_s))
        self._full[name] = own + EVERY_S
        self._all_full = min(of_all + ALL_EVERY_S, now + ALL_BURST * ALL_EVERY_S)
        if len(self._full) >= self._tidy_at:
            self._full = {known: full for known, full in self._full.items() if full > now}
            self._tidy_at = max(REMEMBERED, 2 * len(self._full))

    def give_back(self, name: str) -> None:
        """Give back the attempt that was taken just before."""
        self._full[name] -= EVERY_S
        self._all_full -= ALL_EVERY_S


class _Signer(TimestampSigner):
    def __init__(self, key: bytes, clock: Callable[[], float]):
        super().__init__(key, salt="cleanplate.session", digest_method=hashlib.sha256)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock())


def kept_secret(path: Path) -> str:
    """Return the secret in this file, made at the first time, which only this service's user may read. Blocking."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{secrets.token_hex(8)}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        with suppress(FileExistsError):  # another process that starts at the same time was first
            os.link(part, path)
        part.unlink()
    return path.read_text()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _network(address: str) -> str:
    """Return what one client can hardly change: its IPv4 address, or the network of its IPv6 address."""
    with suppress(ValueError):
        ip = ipaddress.ip_address(address)
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
            return str(ipaddress.ip_network((int(ip), NETWORK_BITS), strict=False))
    return address
