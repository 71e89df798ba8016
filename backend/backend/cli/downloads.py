"""Getting a file of weights: from a folder or over HTTP, resumed where it broke off, there as a whole or not at all.

What has come so far is `<file>.part` beside the target, and of which version, by its server's ETag, `<file>.part.etag`.
They survive an interruption, but not a wrong checksum; without a checksum, nothing is added to what may be of another
version.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import urlsplit

from backend.cli.inputs import UsageError
from backend.cli.inventory import CHUNK_BYTES, ModelFile

TRIES = 5
PAUSE_S = 1.0
TIMEOUT_S = 30.0
USER_AGENT = "cleanplate"

OnBytes = Callable[[int, int | None], None]
"""Is told how many bytes are there, and of how many, where that is known."""


class FetchFailed(Exception):
    """A file could not be had; the message says why."""


class _Cut(Exception):
    """The connection broke off; what came is kept."""


def source_of(told: str | None) -> str | Path | None:
    """Return the mirror's URL or folder; None for each file's own address.

    Raises:
        UsageError: it is neither.
    """
    if told is None:
        return None
    if "://" in told:
        if urlsplit(told).scheme not in ("http", "https"):
            raise UsageError(f"{told}: only http and https are spoken here")
        return told
    if not Path(told).is_dir():
        raise UsageError(f"{told} is no folder")
    return Path(told)


def fetch(
    file: ModelFile, target: Path, source: str | Path | None, on_bytes: OnBytes, *, pause_s: float = PAUSE_S
) -> None:
    """Get a file, check it, and put it in its place. Blocking.

    Args:
        file: what is wanted.
        target: where it shall be; its folder is made.
        source: what `source_of` returned.
        on_bytes: progress.
        pause_s: before the first repetition; doubled for each.

    Raises:
        FetchFailed: it could not be had, or is not what it should be.
        OSError: it could not be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with part.open("ab") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FetchFailed(f"{part}: another process is fetching it") from None
        if isinstance(source, Path):
            _copy(source / file.name, out, on_bytes)
        else:
            _download(f"{source.rstrip('/')}/{file.name}" if source else file.url, file, out, on_bytes, pause_s)
        out.flush()
        os.fsync(out.fileno())
        _tag_file(out).unlink(missing_ok=True)
        if difference := file.difference(part):
            part.unlink()
            raise FetchFailed(f"{file.name} {difference}; what was fetched is thrown away")
        part.replace(target)


def _copy(path: Path, out: BinaryIO, on_bytes: OnBytes) -> None:
    if not path.is_file():
        raise FetchFailed(f"{path} is missing")
    total = path.stat().st_size
    out.truncate(0)
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            out.write(chunk)
            on_bytes(out.tell(), total)


def _download(url: str, file: ModelFile, out: BinaryIO, on_bytes: OnBytes, pause_s: float) -> None:
    """Download to the end, as long as each try brings something or few in a row do not."""
    opener = urllib.request.build_opener(_HttpOnly())
    idle, reason = 0, ""
    while idle < TRIES:
        before = _length(out)
        try:
            _download_on(opener, url, file, out, on_bytes)
            return
        except (_Cut, urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code not in (408, 429):
                raise FetchFailed(f"{url}: HTTP {error.code} {error.reason}") from error
            reason = str(error)
        idle = 0 if _length(out) > before else idle + 1
        time.sleep(pause_s * 2**idle if idle < TRIES else 0)
    raise FetchFailed(f"{url}: {reason}; {_length(out)} bytes are kept, the next fetch goes on from there")


def _download_on(
    opener: urllib.request.OpenerDirector, url: str, file: ModelFile, out: BinaryIO, on_bytes: OnBytes
) -> None:
    """Go on from what is there. Raises _Cut when less comes than was announced."""
    tag = _tag(out)
    if not (tag or file.md5 or file.sha256):
        out.truncate(0)
    have = _length(out)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", **({"If-Range": tag} if tag else {})}
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        if _total(error.headers, 0) != have:  # more than there is: not of this file
            out.truncate(0)
            raise _Cut("what was there did not fit") from error
        return
    with response:
        if response.status != 206 or not str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
            out.truncate(0)
            _tag_file(out).write_text(response.headers.get("ETag", ""))
        total = _total(response.headers, _length(out)) or file.size_bytes
        _room(out, total)
        while chunk := response.read(CHUNK_BYTES):
            out.write(chunk)
            on_bytes(_length(out), total)
    if total is not None and _length(out) < total:
        raise _Cut(f"broke off after {_length(out)} of {total} bytes")


class _HttpOnly(urllib.request.HTTPRedirectHandler):
    """Follows no redirection to another kind of address."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise FetchFailed(f"{req.full_url} leads to {newurl}: only http and https are spoken here")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _length(out: BinaryIO) -> int:
    out.flush()
    return os.fstat(out.fileno()).st_size


def _tag_file(out: BinaryIO) -> Path:
    return Path(f"{out.name}.etag")


def _tag(out: BinaryIO) -> str:
    """Return the ETag of what is there; empty where there is none that says it is the same to the byte."""
    with suppress(OSError, ValueError):
        tag = _tag_file(out).read_text()
        return tag if tag.startswith('"') else ""
    return ""


def _total(headers: Any, have: int) -> int | None:
    """Return the size of the whole file as an answer's headers tell it."""
    told = str(headers.get("Content-Range", "")).rpartition("/")[2]
    if told.isdigit():
        return int(told)
    length = str(headers.get("Content-Length", ""))
    return have + int(length) if length.isdigit() else None


def _room(out: BinaryIO, total: int | None) -> None:
    with suppress(OSError):
        free = shutil.disk_usage(Path(out.name).parent).free
        if total is not None and total - _length(out) > free:
            raise FetchFailed(f"{out.name}: {free} bytes are free, {total - _length(out)} are missing")
