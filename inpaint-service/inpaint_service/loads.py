"""Waiting for a model before the lane is entered, so that a model that loads holds up nobody who needs another."""

from __future__ import annotations

import asyncio

from cleanplate.contract.problems import EngineBusy, TimedOut
from inpaint_service.models import Models


class Loads:
    """Who waits for models to be loaded; more than `limit` at once are refused."""

    def __init__(self, models: Models, limit: int):
        self._models = models
        self._limit = limit
        self._waiting = 0

    async def wait(self, name: str | None, timeout_s: float | None = None) -> None:
        """Return when the model can be had at once.

        Raises:
            Invalid: there is no model of this name, or it cannot be used.
            EngineBusy: too many wait already.
            EngineUnavailable: it does not load.
            TimedOut: it was not loaded in time; it goes on loading.
        """
        if self._models.ready(name):
            return
        if self._waiting >= self._limit:
            raise EngineBusy(f"{self._waiting} requests wait for models already", retry_after_s=2, limit=self._limit)
        self._waiting += 1
        try:
            loading = await asyncio.to_thread(self._models.wanted, name)
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(loading)), timeout_s)
        except TimeoutError:
            raise TimedOut(f"the model was not loaded within {timeout_s} s", limit=timeout_s) from None
        finally:
            self._waiting -= 1
