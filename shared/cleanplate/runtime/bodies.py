"""Reading a request's body: JSON or multipart, within a time limit, and parsed off the event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from cleanplate.contract.problems import Invalid, Malformed, SlowBody, TooLarge, UnsupportedMedia

FILES_LIMIT = 1000
FIELDS_LIMIT = 200
FIELD_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class File:
    """One uploaded file. Its name is the client's: to be shown, never used as a path."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Upload:
    """A body's fields and files. The members of a multipart `params` or `options` field count as fields too."""

    fields: dict[str, Any]
    files: dict[str, list[File]] = field(default_factory=dict)

    def file(self, name: str) -> bytes | None:
        """Return the bytes of the one file of that name, None when there is none.

        Raises:
            Invalid: there are several.
        """
        found = self.files.get(name, [])
        if len(found) > 1:
            raise Invalid(f"{len(found)} files were sent, 1 is taken", field=name, limit=1)
        return found[0].data if found else None


async def read_upload(request: Request, timeout_s: float, packed: tuple[str, ...] = ("params",)) -> Upload:
    """Return the body, whichever of the two ways it was sent.

    Args:
        request: its body is consumed.
        timeout_s: how long the client may take to send it.
        packed: multipart fields that hold a JSON object, whose members become fields.

    Raises:
        Malformed: it cannot be parsed.
        UnsupportedMedia: it is neither JSON nor multipart.
        SlowBody: it did not arrive in time.
    """
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    async with _in_time(timeout_s):
        if kind == "multipart/form-data":
            return await _multipart(request, packed)
        body = await request.body()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMedia("send application/json or multipart/form-data", field="Content-Type")
    return Upload(await asyncio.to_thread(_object, body, "body"))


async def read_body(request: Request, timeout_s: float, limit_bytes: int | None = None) -> bytes:
    """Return the body as it came; `limit_bytes` is for what needs less than the service takes.

    Raises:
        SlowBody: it did not arrive in time.
        TooLarge: it is over the limit.
    """
    body = bytearray()
    async with _in_time(timeout_s):
        async for piece in request.stream():
            body += piece
            if limit_bytes is not None and len(body) > limit_bytes:
                raise TooLarge("the body is too long", field="body", limit=limit_bytes)
    return bytes(body)


@asynccontextmanager
async def _in_time(timeout_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise SlowBody(f"the body did not arrive within {timeout_s:g} s", limit=timeout_s) from None


async def _multipart(request: Request, packed: tuple[str, ...]) -> Upload:
    fields: dict[str, Any] = {}
    files: dict[str, list[File]] = {}
    async with request.form(max_files=FILES_LIMIT, max_fields=FIELDS_LIMIT, max_part_size=FIELD_LIMIT_BYTES) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files.setdefault(name, []).append(File(value.filename or name, await value.read()))
            elif name in packed:
                fields |= await asyncio.to_thread(_object, value.encode(), name)
            else:
                fields[name] = value
    return Upload(fields, files)


def _object(body: bytes, name: str) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"this is no JSON: {error}", field=name) from None
    if not isinstance(parsed, dict):
        raise Malformed("must be a JSON object", field=name)
    return parsed
