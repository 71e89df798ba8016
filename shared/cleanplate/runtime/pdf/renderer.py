"""PDF pages rendered in a process of its own, for a few bytes may take a renderer hours, or all memory.

`python -m cleanplate.runtime.pdf.renderer DPI SECONDS MEMORY` is that process; a page that takes more ends it. It is
told the size of the PDF and 0, the PDF, then of each page the index and what of it is wanted; it tells (height, width)
and the pixels, or (1, size) and its text as JSON, or (0, size) and what is wrong.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import astuple
from typing import IO

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box
from cleanplate.contract.problems import Malformed, Problem
from cleanplate.runtime.pdf.documents import OpenPdf
from cleanplate.runtime.pdf.layers import TextWord

MEMORY = 2 * 2**30  # bytes of address space for libraries and the PDF; a page's own pixels come on top
PIXEL_BYTES = 8  # a page is there twice while it is copied, at first with four bytes a pixel
_HEAD = struct.Struct("<II")
_PICTURE, _TEXT = 0, 1


class PdfRenderer:
    """See `Pages`. The process is begun with the first page, and anew after one that it did not survive."""

    def __init__(self, pdf: bytes, dpi: int, page_s: float, pixel_limit: int):
        self._pdf = pdf
        self._limits = (dpi, page_s, MEMORY + PIXEL_BYTES * pixel_limit)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def picture(self, index: int) -> NDArray[np.uint8]:
        (height, width), data = self._told(index, _PICTURE)
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def text(self, index: int) -> list[list[TextWord]] | None:
        """Return what `OpenPdf.text` does; raises what `picture` does."""
        found = json.loads(self._told(index, _TEXT)[1])
        return found and [[(word, Box(*place)) for word, *place in line] for line in found]

    def _told(self, index: int, wanted: int) -> tuple[tuple[int, int], bytes]:
        with self._lock:
            try:
                return self._asked(index, wanted)
            except (EOFError, OSError):
                self._end()
                detail = f"page {index + 1} of the PDF takes more time or memory than a page may"
                raise Malformed(detail, field="file") from None

    def close(self) -> None:
        self._closed, process = True, self._process
        if process is not None:
            process.kill()  # whoever waits for a page holds the lock
        with self._lock:
            self._end()

    def _asked(self, index: int, wanted: int) -> tuple[tuple[int, int], bytes]:
        if self._closed:
            raise EOFError
        asked, told = self._pipes()
        asked.write(_HEAD.pack(index, wanted))
        asked.flush()
        height, width = _HEAD.unpack(_exactly(told, _HEAD.size))
        if not height:
            raise Malformed(_exactly(told, width).decode(), field="file")
        return (height, width), _exactly(told, width if wanted == _TEXT else height * width * 3)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        new = self._process is None
        process = self._process = self._process or _begun(*self._limits)
        assert process.stdin is not None
        assert process.stdout is not None
        if new:
            process.stdin.write(_HEAD.pack(len(self._pdf), 0) + self._pdf)
        return process.stdin, process.stdout

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(OSError):  # what was not written yet cannot be any more
                process.communicate()
            process.wait()


def _begun(*limits: float) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}  # each thread takes address space
    command = [sys.executable, "-m", "cleanplate.runtime.pdf.renderer", *(str(limit) for limit in limits)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def _exactly(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _serve(source: IO[bytes], sink: IO[bytes], dpi: int, page_s: float) -> None:
    size, _ = _HEAD.unpack(_exactly(source, _HEAD.size))
    document = OpenPdf(_exactly(source, size), dpi)
    while head := source.read(_HEAD.size):
        signal.setitimer(signal.ITIMER_REAL, page_s)  # not handled, its signal ends the process
        try:
            answer = _found(document, *_HEAD.unpack(head))
        except Problem as problem:
            said = problem.detail.encode()
            answer = _HEAD.pack(0, len(said)), memoryview(said)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for piece in answer:
            sink.write(piece)
        sink.flush()


def _found(document: OpenPdf, index: int, wanted: int) -> tuple[bytes, memoryview]:
    if wanted == _TEXT:
        found = document.text(index)
        data = json.dumps(found and [[(word, *astuple(box)) for word, box in line] for line in found]).encode()
        return _HEAD.pack(1, len(data)), memoryview(data)
    picture = document.picture(index)
    return _HEAD.pack(*picture.shape[:2]), picture.data.cast("B")


def limit_memory(limit: int) -> None:
    """Let this process have no more than so many bytes of address space, where the system can hold it to that."""
    with suppress(ImportError, OSError, ValueError):  # not every system has such a limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which closes this
    limit_memory(int(sys.argv[3]))
    _serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]), float(sys.argv[2]))
