"""The memory of pictures does not stay in the heap."""

from __future__ import annotations

import subprocess
import sys

GROWTH = """
import ctypes, sys
from backend import heap

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks".split()]
    _fields_ += [(name, ctypes.c_size_t) for name in "fsmblks uordblks fordblks keepcost".split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo
if sys.argv[1] == "small":
    heap.keep_small()
before = libc.mallinfo2().hblks
kept = [bytearray(heap.LARGE_BYTES + 1000) for _ in range(8)]
print(libc.mallinfo2().hblks - before)
"""


def mapped_of_eight(mode: str) -> int:
    told = subprocess.run([sys.executable, "-c", GROWTH, mode], capture_output=True, text=True, check=True)
    return int(told.stdout)


def test_large_blocks_are_mapped_by_themselves_and_so_given_back_at_once() -> None:
    assert mapped_of_eight("small") >= 6  # one or two may fit into what is free in the heap
    assert mapped_of_eight("usual") == 0
