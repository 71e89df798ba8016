"""The only way out to addresses that a caller names: pictures by URL, and callbacks. When to retry is the caller's."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from cleanplate import __version__
from cleanplate.contract.problems import FetchFailed, Invalid, Problem, TimedOut, TooLarge, UpstreamFailed
from cleanplate.runtime import traces
from cleanplate.runtime.addresses import AddressFilter
from cleanplate.runtime.signatures import HEADER, sign, verify

__all__ = ["HEADER", "AddressFilter", "FilteredResolver", "Outbound", "sign", "verify"]

REDIRECTS = 5
CALLBACK_TIMEOUT_S = 30.0
_CHUNK_BYTES = 65536
_MOVED = frozenset({301, 302, 303, 307, 308})


class FilteredResolver(AbstractResolver):
    """Resolves names to allowed addresses only.

    What it returns is what the connector connects to, so a name cannot lead elsewhere between check and connection.
    """

    def __init__(self, addresses: AddressFilter, inner: AbstractResolver, field: str) -> None:
        self._addresses = addresses
        self._inner = inner
        self._field = field

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look the name up.

        Raises:
            AddressRefused: one of its addresses must not be reached.
            OSError: it has none.
        """
        found = await self._inner.resolve(host, port, family)
        for result in found:
            self._addresses.check(result["host"], host=host, field=self._field)
        return found

    async def close(self) -> None:
        """Release the resolver within."""
        await self._inner.close()


@dataclass(frozen=True)
class Outbound:
    """Requests to URLs from outside, each hop of them through the address filter.

    Attributes:
        addresses: which addresses may be reached.
        resolver: makes what looks names up.
        clock: Unix seconds, for signatures.
    """

    addresses: AddressFilter
    resolver: Callable[[], AbstractResolver] = aiohttp.ThreadedResolver
    clock: Callable[[], float] = time.time

    def check(self, url: str, field: str = "url") -> None:
        """Refuse at once what needs no look-up to be refused; the rest is seen when the request is made.

        Raises:
            Invalid: not an http or https URL.
            AddressRefused: its host is an address that must not be reached.
        """
        self._check_literal(_parsed(url, field), field)

    async def fetch(self, url: str, *, limit_bytes: int, timeout_s: float, field: str = "url") -> bytes:
        """Get what a URL holds, following at most 5 redirects.

        Args:
            url: http or https, any port.
            limit_bytes: of the body, counted while it arrives; 0 means no limit.
            timeout_s: for everything, redirects included.
            field: the request's field that a problem names.

        Raises:
            Invalid: not such a URL.
            AddressRefused: it or a redirect leads where the filter does not allow.
            TooLarge: the body is over the limit.
            FetchFailed: no connection, an answer other than success, or not all of it in time.
        """
        with traces.span("fetch input", kind="client"), _failures_reported(field, FetchFailed, FetchFailed):
            async with asyncio.timeout(timeout_s), self._session(field) as session:
                hop = _parsed(url, field)
                for _ in range(REDIRECTS + 1):
                    self._check_literal(hop, field)
                    async with session.get(hop, allow_redirects=False) as response:
                        if response.status not in _MOVED or "Location" not in response.headers:
                            return await _body(response, limit_bytes, field)
                        hop = _parsed(response.headers["Location"], field, hop)
        raise FetchFailed(f"the URL redirects more than {REDIRECTS} times", field=field)

    async def post_signed(
        self,
        url: str,
        body: Mapping[str, Any],
        secret: str,
        *,
        timeout_s: float = CALLBACK_TIMEOUT_S,
        field: str = "callback_url",
    ) -> int:
        """Send a JSON callback once; its answer's body is not read and redirects are not followed.

        Args:
            url: http or https, any port.
            body: what JSON can hold.
            secret: signs the body; an empty one sends it unsigned.
            timeout_s: until the answer's status.
            field: the request's field that a problem names.

        Returns:
            The HTTP status.

        Raises:
            Invalid: not such a URL.
            AddressRefused: it leads where the filter does not allow.
            TimedOut: no answer in time.
            UpstreamFailed: no connection.
        """
        with traces.span("post callback", kind="client"), _failures_reported(field, UpstreamFailed, TimedOut):
            async with asyncio.timeout(timeout_s), self._session(field) as session:
                target = _parsed(url, field)
                self._check_literal(target, field)
                # a callback may hold a whole picture: too long a step for the event loop
                data, headers = await asyncio.to_thread(_sealed, body, secret, int(self.clock()))
                async with session.post(target, data=data, headers=headers, allow_redirects=False) as response:
                    return response.status

    @asynccontextmanager
    async def _session(self, field: str) -> AsyncIterator[aiohttp.ClientSession]:
        resolver = FilteredResolver(self.addresses, self.resolver(), field)
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            # packed bodies would have to be measured twice
            headers={"User-Agent": f"cleanplate/{__version__}", "Accept-Encoding": "identity"},
            auto_decompress=False,
        )
        try:
            yield session
        finally:
            await session.close()
            await resolver.close()

    def _check_literal(self, url: URL, field: str) -> None:
        """Check a host that is an address already, since the connector asks no resolver for it."""
        host = url.raw_host or ""
        if ":" in host or host.replace(".", "").isdigit():
            self.addresses.check(host, host=host, field=field)


def _parsed(text: str, field: str, base: URL | None = None) -> URL:
    try:
        url = URL(text) if base is None else base.join(URL(text))
        if url.scheme in ("http", "https") and url.raw_host and url.port:
            return url
    except ValueError as error:
        raise Invalid("is not a URL", field=field) from error
    raise Invalid("is not an http or https URL", field=field)


async def _body(response: aiohttp.ClientResponse, limit_bytes: int, field: str) -> bytes:
    if not 200 <= response.status < 300:
        raise FetchFailed(f"the URL answered {response.status}", field=field, upstream_status=response.status)
    data = bytearray()
    _within(response.content_length or 0, limit_bytes, field)
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        data += chunk
        _within(len(data), limit_bytes, field)
    return bytes(data)


def _within(size: int, limit_bytes: int, field: str) -> None:
    if limit_bytes and size > limit_bytes:
        detail = f"what the URL holds is over the limit of {limit_bytes} bytes (max_bytes)"
        raise TooLarge(detail, field=field, limit=limit_bytes, limit_name="max_bytes")


def _sealed(body: Mapping[str, Any], secret: str, at: int) -> tuple[bytes, dict[str, str]]:
    """Return the callback's bytes and headers."""
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json"}
    return data, {**headers, HEADER: sign(secret, data, at)} if secret else headers


@contextmanager
def _failures_reported(field: str, failed: type[Problem], late: type[Problem]) -> Iterator[None]:
    """Translate what the HTTP client throws."""
    try:
        yield
    except TimeoutError as error:
        raise late("the URL did not answer in time", field=field) from error
    except (aiohttp.InvalidURL, UnicodeError) as error:
        raise Invalid("is not a URL", field=field) from error
    except (aiohttp.ClientError, OSError) as error:
        raise failed("the URL could not be reached", field=field) from error
