"""How freed memory goes back to the system: at once for pictures, and without a heap of its own for every thread."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # of glibc's malloc.h
LARGE_BYTES = 65_536
HEAPS = 2


def keep_small() -> None:
    """Tell glibc's malloc, which else keeps some 30 MB more after a hundred pictures; another library is left alone."""
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_ARENA_MAX, HEAPS)
