"""What POST /ocr answers, put together page by page: with their pictures a hundred pages do not fit in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import Any

from fastapi.responses import Response, StreamingResponse

from cleanplate.contract.problems import StorageFull
from cleanplate.runtime.files import NO_ROOM

IN_MEMORY_BYTES = 8_000_000
CHUNK_BYTES = 1_000_000
JSON = "application/json"


class Spool:
    """The pages of an answer as JSON, in memory while there are few and then in a temporary file."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 -- it lives as long as the answer

    def add(self, page: dict[str, Any]) -> None:
        """Add a page; blocking.

        Raises:
            StorageFull: there is no room for it in the folder for temporary files.
        """
        try:
            self._file.write((b"," if self._file.tell() else b"") + json.dumps(page, ensure_ascii=False).encode())
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StorageFull("the folder for temporary files is full") from error
            raise

    def response(self, told: dict[str, Any], info: dict[str, Any]) -> Response:
        """Return the answer: what is told, and in its `result` the pages and what they are."""
        head = json.dumps(told).encode()[:-1] + b', "result": {"ocrResults": ['
        tail = b'], "dataInfo": ' + json.dumps(info).encode() + b"}}"
        length = self._file.tell()
        self._file.seek(0)
        if length <= IN_MEMORY_BYTES:
            with self._file:
                return Response(head + self._file.read() + tail, media_type=JSON)
        size = {"content-length": str(len(head) + length + len(tail))}
        return StreamingResponse(self._pieces(head, tail), media_type=JSON, headers=size)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    async def _pieces(self, head: bytes, tail: bytes) -> AsyncIterator[bytes]:
        with self._file:
            yield head
            while piece := await asyncio.to_thread(self._file.read, CHUNK_BYTES):
                yield piece
            yield tail
