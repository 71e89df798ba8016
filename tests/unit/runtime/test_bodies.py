"""Bodies: JSON or multipart, in time, and read the same way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from cleanplate.contract.problems import Invalid, Malformed, Problem, SlowBody, UnsupportedMedia
from cleanplate.runtime.bodies import Upload, read_upload


async def read(request: httpx.Request, receive: Callable[[], Awaitable[Message]] | None = None) -> Upload:
    messages = [{"type": "http.request", "body": piece, "more_body": True} async for piece in pieces(request)]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def next_message() -> Message:
        return messages.pop(0)

    headers = [(name.lower(), value) for name, value in request.headers.raw]
    scope = {"type": "http", "method": "POST", "headers": headers, "app": None}
    return await read_upload(Request(scope, receive or next_message), 0.05 if receive else 10)


async def pieces(request: httpx.Request) -> AsyncIterator[bytes]:
    body = await request.aread()
    for start in range(0, len(body), 7):
        yield body[start : start + 7]


def posted(**kwargs: Any) -> httpx.Request:
    return httpx.Request("POST", "http://service.test/", **kwargs)


async def test_json_is_fields() -> None:
    assert (await read(posted(json={"a": [1, "好"]}))).fields == {"a": [1, "好"]}
    body = json.dumps({"a": 1}).encode()
    for kind in ("application/json; charset=utf-8", "application/vnd.x+json", "APPLICATION/JSON"):
        assert (await read(posted(content=body, headers={"content-type": kind}))).fields == {"a": 1}
    assert (await read(posted(content=body))).fields == {"a": 1}


async def test_multipart_is_fields_and_files_and_unpacks_params() -> None:
    files = [("image", ("../../a.png", b"one")), ("mask", ("m", b"m")), ("mask", ("n", b"n"))]
    upload = await read(posted(data={"params": '{"seed": 3}', "x": "1"}, files=files))
    assert upload.fields == {"seed": 3, "x": "1"}
    assert (upload.file("image"), upload.files["image"][0].name, upload.file("absent")) == (b"one", "../../a.png", None)
    with pytest.raises(Invalid, match="2 files") as refused:
        upload.file("mask")
    assert refused.value.field == "mask"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b'{"a": 1} x'],
)
async def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        await read(posted(content=body, headers={"content-type": "application/json"}))
    assert refused.value.field == "body"
    with pytest.raises(Malformed) as refused:
        await read(posted(data={"params": body.decode("latin-1")}, files={"image": b"x"}))
    assert refused.value.field == "params"


async def test_a_broken_multipart_is_refused() -> None:
    for content, kind in ((b"x", "multipart/form-data"), (b"nonsense", "multipart/form-data; boundary=b")):
        with pytest.raises((Problem, HTTPException)) as refused:
            await read(posted(content=content, headers={"content-type": kind}))
        assert getattr(refused.value, "status_code", 400) == 400


@pytest.mark.parametrize("kind", ["text/plain", "image/png", "application/x-www-form-urlencoded", "x"])
async def test_another_kind_of_body_is_refused_by_name(kind: str) -> None:
    with pytest.raises(UnsupportedMedia) as refused:
        await read(posted(content=b"{}", headers={"content-type": kind}))
    assert (refused.value.status, refused.value.field) == (415, "Content-Type")


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=b"])
async def test_a_body_that_does_not_arrive_times_out(kind: str) -> None:
    stalled = asyncio.Event()

    async def receive() -> Message:
        await stalled.wait()
        return {"type": "http.request"}

    with pytest.raises(SlowBody, match=r"within 0\.05 s"):
        await read(posted(content=b"", headers={"content-type": kind}), receive)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=b"])
async def test_a_client_that_leaves_is_no_timeout(kind: str) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        await read(posted(content=b"", headers={"content-type": kind}), receive)
