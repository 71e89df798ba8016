"""Wake-ups over Redis, so that who listens in one process hears what another one did; still no more than a hint."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from cleanplate.runtime.board import Wakeups
from cleanplate.runtime.jobs import new_id

log = logging.getLogger(__name__)

PAUSE_S = 1.0
LOOK_S = 15.0


class SharedWakeups(Wakeups):
    """See `Wakeups`. Without Redis it wakes the listeners of this process, which see what others do by their polls."""

    def __init__(self, url: str, name: str):
        super().__init__()
        self._url = url
        self._channel = f"cleanplate.{name}"
        self._origin = new_id()
        self._news: dict[str, None] = {}
        self._has_news = asyncio.Event()
        self._running = False

    def notify(self, topic: str) -> None:
        super().notify(topic)
        if self._running:
            self._news[topic] = None
            self._has_news.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        if self._running:  # boards of one service share it; the first one's is held longest
            yield
            return
        self._running = True
        sharing = asyncio.create_task(self._share())
        try:
            yield
        finally:
            self._running = False
            sharing.cancel()
            with suppress(asyncio.CancelledError):
                await sharing

    async def _share(self) -> None:
        """Stay connected; a loss is logged once, and once that it is over."""
        lost_at: float | None = None
        while True:
            try:
                redis = Redis.from_url(self._url, socket_connect_timeout=5, health_check_interval=LOOK_S)
                async with redis, redis.pubsub() as heard, asyncio.TaskGroup() as both:
                    await heard.subscribe(self._channel)
                    if lost_at is not None:
                        log.warning("wake-ups are shared again after %.1f s", time.monotonic() - lost_at)
                        self.wake_all()
                    lost_at = None
                    both.create_task(self._publish(redis))
                    both.create_task(self._listen(heard))
            except* (RedisError, OSError) as errors:
                if lost_at is None:
                    lost_at = time.monotonic()
                    log.warning("wake-ups are not shared, listeners poll: %s", errors.exceptions[0])
            await asyncio.sleep(PAUSE_S)

    async def _publish(self, redis: Redis) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            news, self._news = list(self._news), {}
            await redis.publish(self._channel, json.dumps([self._origin, *news]))

    async def _listen(self, heard: PubSub) -> None:
        while True:
            message = await heard.get_message(ignore_subscribe_messages=True, timeout=LOOK_S)
            if message is None:
                continue
            origin, *topics = json.loads(message["data"])
            if origin == self._origin:
                continue
            for topic in topics:
                self.wake(topic)
