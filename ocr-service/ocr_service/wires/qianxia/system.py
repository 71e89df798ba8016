"""Qianxia's wire, the service as a whole: a few figures, and whether it is well."""

from __future__ import annotations

import asyncio
import os
import time

from fastapi import WebSocket

from cleanplate.runtime.jobs import iso
from ocr_service.machine import disk_room
from ocr_service.parts import Parts
from ocr_service.wires.callers import Caller
from ocr_service.wires.qianxia import views
from ocr_service.wires.qianxia.shape import Body, data
from ocr_service.wires.qianxia.socket import QianxiaSocket
from ocr_service.wires.readings import page_seconds

LEAST_DISK_GB = 1.0


class System:
    """The calls that ask for the service, and its WebSockets, which it counts."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self._sockets = 0

    async def stats(self, caller: Caller) -> Body:
        """Count tasks and connections."""
        return data(
            {"task_system": {"queue": await self._counts()}, "websocket": {"active_connections": self._sockets}}
        )

    async def health(self, caller: Caller) -> Body:
        """Say what is wrong, if anything is."""
        engine = self._parts.readers.state
        machine, warnings = await asyncio.to_thread(self._machine)
        critical = [] if engine == "ready" else [f"the engine is {engine}"]
        health = {"engine": engine, "store": await self._parts.store_answers(), **machine}
        status = "critical" if critical else "warning" if warnings else "healthy"
        issues = [*critical, *warnings]
        return data(
            {"overall_status": status, "timestamp": iso(time.time()), "issues": issues, "system_health": health}
        )

    async def metrics(self, caller: Caller) -> Body:
        """Return a few figures; /metrics has all."""
        waiting = {lane.name: lane.waiting for lane in self._parts.readers.lanes()}
        page_s = round(await page_seconds(self._parts), 3)
        figures = {"tasks": await self._counts(), "waiting_calls": waiting, "page_seconds": page_s}
        return data({"timestamp": iso(time.time()), **figures})

    async def socket(self, websocket: WebSocket, caller: Caller, client_id: str | None = None) -> None:
        """Follow tasks."""
        self._sockets += 1
        try:
            await QianxiaSocket(websocket, self._parts, caller).serve(client_id)
        finally:
            self._sockets -= 1

    def _machine(self) -> tuple[Body, list[str]]:
        """Return processor, memory and disk in figures, and what there is too little of. Blocking."""
        memory, disk = self._parts.headroom.machine(), disk_room(self._parts.settings.data)
        warnings = ["too little memory is free"] if self._parts.headroom.pressing(memory) else []
        warnings += ["too little of the disk is free"] if disk.free_gb < LEAST_DISK_GB else []
        found = {
            "cpu": {"cores": os.cpu_count(), "load_1m": round(os.getloadavg()[0], 2)},
            "memory": memory and {"free_gb": memory.free_gb, "total_gb": memory.total_gb},
            "disk": {"free_gb": disk.free_gb, "total_gb": disk.total_gb},
        }
        return found, warnings

    async def _counts(self) -> dict[str, int]:
        board = self._parts.board
        counts = await board.call(board.store.counts, board.kind)
        return {f"{word}_count": counts[state] for state, word in views.WORDS.items()}
