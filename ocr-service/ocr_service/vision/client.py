"""Requests to an OpenAI-compatible endpoint: timeouts, a limit for answers, and further tries where they may help.

The key is in the session's headers only: no problem and no log line holds it, and the words of the endpoint go to the
log without it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import numpy as np
from numpy.typing import NDArray

from cleanplate import __version__
from cleanplate.contract.problems import BadUpstream, TimedOut, UpstreamFailed, UpstreamRefused
from ocr_service.vision.bodies import request_body
from ocr_service.vision.endpoints import Endpoint
from ocr_service.vision.streams import LIMIT_BYTES, Answer, Events, whole

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
LONGEST_WAIT_S = 86_400.0  # that is passed on: enough digits are infinity
PASSING = frozenset({408, 409, 425, 429})  # what below 500 may be otherwise at the next try
ERROR_BYTES, ERROR_CHARS = 4000, 300
NO_QUOTA = "insufficient_quota"  # a 429 that no waiting helps


class Client:
    """Asks one endpoint; its session is opened by the first question."""

    def __init__(self, endpoint: Endpoint, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep):
        self.endpoint = endpoint
        self._sleep = sleep
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, prompt: str, rgb: NDArray[np.uint8]) -> Answer:
        """Return what the model says about a picture, (H, W, 3) uint8 RGB.

        Raises:
            UpstreamRefused: the endpoint does not take the key or the request.
            BadUpstream: it answers with something else than OpenAI's API does.
            UpstreamFailed: it could not be reached, broke off or was overloaded, at the last try too.
            TimedOut: it was too slow, at the last try too.
        """
        body = await asyncio.to_thread(request_body, self.endpoint, prompt, rgb)
        for left in reversed(range(self.endpoint.retries + 1)):
            try:
                return await self._try(body)
            except (BadUpstream, UpstreamRefused):
                raise
            except (UpstreamFailed, TimedOut) as problem:
                pause_s = problem.retry_after_s or _pause_s(self.endpoint.retries - left)
                if not left or pause_s > LONGEST_PAUSE_S:
                    raise
                log.warning("the endpoint failed, again in %.1f s: %s", pause_s, problem.detail)
            await self._sleep(pause_s)
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()

    async def _try(self, body: bytes) -> Answer:
        url = f"{self.endpoint.url.rstrip('/')}/chat/completions"
        with _failures_reported():
            async with (
                asyncio.timeout(self.endpoint.timeout_s),
                self._opened().post(url, data=body, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise await self._refusal(response)
                return await self._answer(response)

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        if response.content_type == "text/event-stream":
            events = Events()
            async for chunk in self._chunks(response):
                events.feed(chunk)
            return events.answer()
        data = b"".join([chunk async for chunk in self._chunks(response)])
        return await asyncio.to_thread(whole, data)

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Yield the body's bytes, while they come and are not too many."""
        size = 0
        while True:
            async with asyncio.timeout(self.endpoint.idle_s):
                chunk = await response.content.readany()
            if not chunk:
                return
            size += len(chunk)
            if size > LIMIT_BYTES:
                raise BadUpstream(f"the endpoint's answer is over {LIMIT_BYTES} bytes")
            yield chunk

    async def _refusal(self, response: aiohttp.ClientResponse) -> UpstreamFailed:
        """Return the problem of an answer other than 200; the endpoint's own words go to the log only."""
        status = response.status
        code, words = _error(await response.content.read(ERROR_BYTES))
        key = self.endpoint.key.get_secret_value()
        log.warning("the endpoint answered %d: %s", status, words.replace(key, "***") if key else words)
        if status in (401, 403):
            return UpstreamRefused("the endpoint does not take the key", upstream_status=status)
        if 300 <= status < 400:
            return UpstreamRefused("the endpoint redirects elsewhere, which is not followed", upstream_status=status)
        if code == NO_QUOTA:
            return UpstreamRefused("the endpoint's quota is used up", upstream_status=status)
        if status >= 500 or status in PASSING:
            after_s = _retry_after_s(response.headers.get("Retry-After", ""))
            return UpstreamFailed(f"the endpoint answered {status}", retry_after_s=after_s, upstream_status=status)
        return UpstreamRefused(f"the endpoint refused the request: {status}", upstream_status=status)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            key = self.endpoint.key.get_secret_value()
            headers = {
                "User-Agent": f"cleanplate/{__version__}",
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                **({"Authorization": f"Bearer {key}"} if key else {}),
            }
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.endpoint.at_once),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                headers=headers,
                auto_decompress=False,
            )
        return self._session


def _pause_s(tries: int) -> float:
    """Return how long to wait after so many tries: twice as long each time, half of it by chance."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**tries) * random.uniform(0.5, 1))


def _retry_after_s(header: str) -> float | None:
    """Return what Retry-After says, seconds or a date; None where it says nothing."""
    try:
        if header.strip().replace(".", "", 1).isdigit():
            return min(float(header), LONGEST_WAIT_S)
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _error(data: bytes) -> tuple[str, str]:
    """Return code and words of an error's body, whatever it is."""
    try:
        given = json.loads(data)
        error = given.get("error", given) if isinstance(given, dict) else {}
        error = error if isinstance(error, dict) else {"message": error}
        return str(error.get("code") or error.get("type") or ""), str(error.get("message") or "")[:ERROR_CHARS]
    except (ValueError, RecursionError):
        return "", " ".join(data.decode(errors="replace").split())[:ERROR_CHARS]


@contextmanager
def _failures_reported() -> Iterator[None]:
    """Translate what the HTTP client throws."""
    try:
        yield
    except TimeoutError as error:
        raise TimedOut("the endpoint did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamFailed("the endpoint could not be reached, or hung up") from error
