"""Inputs, masks and results, by job id: a local folder by default, any `fsspec` URL such as `s3://bucket/prefix`."""

from __future__ import annotations

import errno
import logging
import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from cleanplate.contract.problems import Expired, StorageFull, StoreBusy
from cleanplate.runtime.jobs import checked_id, is_id

log = logging.getLogger(__name__)

BUSY_RETRY_S = 5
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class JobFiles:
    """The files of every job. Blocking; a file is there whole or not at all.

    Every method raises StoreBusy when an object store does not answer.
    """

    def __init__(self, url: str):
        kind = fsspec.utils.get_protocol(url)
        told = {"auto_mkdir": True} if kind in ("file", "local") else {"use_listings_cache": False}  # others write, too
        self._fs, self._root = fsspec.core.url_to_fs(url, **told)
        if kind in ("s3", "s3a"):
            from botocore.exceptions import BotoCoreError

            self._fs = _Edge(self._fs, BotoCoreError)

    def put(self, job_id: str, name: str, data: bytes) -> None:
        """Write a file, replacing an older one.

        Raises:
            StorageFull: there is no room for it; what is there stays.
        """
        self._write(job_id, name, lambda path: self._fs.pipe_file(path, data))

    def put_file(self, job_id: str, name: str, source: str) -> None:
        """Write a file from a local one, which need not fit into memory; see `put`."""
        self._write(job_id, name, lambda path: self._fs.put_file(source, path))

    def get(self, job_id: str, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            Expired: it was removed.
        """
        try:
            return cast("bytes", self._fs.cat_file(self._path(job_id, name)))
        except FileNotFoundError:
            raise Expired(f"{name} of {job_id} was removed") from None

    def size(self, job_id: str, name: str) -> int:
        """Return how many bytes a file has. Raises Expired."""
        try:
            return int(self._fs.size(self._path(job_id, name)))
        except FileNotFoundError:
            raise Expired(f"{name} of {job_id} was removed") from None

    def part(self, job_id: str, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop`, as far as the file has them. Raises Expired."""
        try:
            return cast("bytes", self._fs.cat_file(self._path(job_id, name), start=start, end=stop))
        except FileNotFoundError:
            raise Expired(f"{name} of {job_id} was removed") from None

    def remove(self, job_id: str, name: str) -> None:
        """Remove one file, if it is there."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(self._path(job_id, name))

    def exists(self, job_id: str, name: str) -> bool:
        """Say whether the file is there."""
        return bool(self._fs.exists(self._path(job_id, name)))

    def forget(self, job_id: str) -> None:
        """Remove all files of a job."""
        folder = f"{self._root}/{checked_id(job_id, 'job_id')}"
        with suppress(FileNotFoundError):
            self._fs.rm(folder, recursive=True)

    def total(self, job_id: str) -> int:
        """Return how many bytes all files of a job have together."""
        found = self._fs.find(f"{self._root}/{checked_id(job_id, 'job_id')}", detail=True)
        return sum(int(info.get("size") or 0) for info in found.values())

    def usage(self) -> list[tuple[float, int, str]]:
        """Return (newest change, bytes, job id) for every job with files, oldest first; foreign files do not count."""
        totals: dict[str, tuple[float, int]] = {}
        for path, info in cast("dict[str, Any]", self._fs.find(self._root, detail=True)).items():
            job_id = path[len(self._root) :].strip("/").split("/")[0]
            if is_id(job_id):
                at, size = totals.get(job_id, (0.0, 0))
                totals[job_id] = (max(at, _changed(info)), size + int(info.get("size") or 0))
        return sorted((at, size, job_id) for job_id, (at, size) in totals.items())

    def _write(self, job_id: str, name: str, write: Callable[[str], object]) -> None:
        path = self._path(job_id, name)
        with _room_needed():
            if isinstance(self._fs, LocalFileSystem):
                self._replace(path, write)
            else:  # an object appears when it is whole
                write(path)

    def _replace(self, path: str, write: Callable[[str], object]) -> None:
        part = f"{os.path.dirname(path)}/.{uuid.uuid4().hex}"  # beside it: between two disks no rename is atomic
        try:
            write(part)
            os.replace(part, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.remove(part)
            raise

    def _path(self, job_id: str, name: str) -> str:
        if not _SAFE_NAME.fullmatch(name):
            raise ValueError(f"unsafe file name {name!r}")
        return f"{self._root}/{checked_id(job_id, 'job_id')}/{name}"


class _Edge:
    """A file system whose silence is a problem that is told."""

    def __init__(self, fs: Any, silence: type[Exception]):
        self._fs = fs
        self._silence = silence

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return getattr(self._fs, name)(*args, **kwargs)
            except self._silence as error:
                log.warning("the store of files does not answer: %s", error)
                raise StoreBusy("the store of files does not answer", retry_after_s=BUSY_RETRY_S) from error

        return call


@contextmanager
def _room_needed() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise StorageFull(f"a file cannot be kept: {error.strerror}", retry_after_s=60) from None


def _changed(info: dict[str, Any]) -> float:
    """Return when a file was written, by whatever name and type its file system tells it; 0 when it does not."""
    told = ("mtime", "LastModified", "last_modified", "updated", "created")
    at = next((info[name] for name in told if name in info), None)
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return at.timestamp() if isinstance(at, datetime) else float(at or 0.0)
