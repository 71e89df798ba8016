"""The masks of regions that were made last: a backend has a picture repainted and asks for its mask meanwhile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from inpaint_service.patches import Patch

LIMIT_BYTES = 64 * 2**20
PATCH_BYTES = 500  # what the objects around the pixels of a patch take


@dataclass(frozen=True, eq=False)
class Patches:
    """The masks of a picture's regions, and the picture's size, (height, width)."""

    of: tuple[Patch, ...]
    size: tuple[int, int]


class RecentPatches:
    """Keeps what was asked for last, up to `limit_bytes` of pixels; for any thread."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES):
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[str, Patches] = OrderedDict()
        self._bytes = 0
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], Patches]) -> Patches:
        """Return what is kept under the key, or what is made now, once for all who ask at the same time.

        The pixels are shared: nobody may write them.
        """
        with self._lock:
            turn = self._making.setdefault(key, threading.Lock())
        try:
            with turn:
                kept = self._known(key)
                return self._keep(key, make()) if kept is None else kept
        finally:
            with self._lock:
                self._making.pop(key, None)

    def _known(self, key: str) -> Patches | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: str, made: Patches) -> Patches:
        with self._lock:
            if key not in self._kept and _size(made) <= self._limit_bytes:
                self._kept[key] = made
                self._bytes += _size(made)
            while self._bytes > self._limit_bytes:
                self._bytes -= _size(self._kept.popitem(last=False)[1])
        return made


def _size(patches: Patches) -> int:
    return sum(patch.pixels.size + PATCH_BYTES for patch in patches.of)
