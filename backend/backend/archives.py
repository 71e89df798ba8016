"""The results of jobs in one ZIP archive, which is never whole in memory nor on a disk."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import AsyncIterator, Sequence

from backend.artifacts import RESULT
from backend.deliveries import Deliveries
from cleanplate.contract.problems import Expired
from cleanplate.runtime.jobs import Job

_UNSAFE = re.compile(r"[^\w .()+,=@-]|^[. ]+|[. ]+$")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
NAME_LIMIT = 120
NOTE = "MISSING.txt"


async def archive(jobs: Sequence[Job], deliveries: Deliveries) -> AsyncIterator[bytes]:
    """Yield the archive; results that were removed meanwhile are named in a note at its end."""
    sink, taken, missing = _Sink(), {NOTE.lower()}, list[str]()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as file:
        for job in jobs:
            name = str(job.params.get("name"))
            try:
                size, extension = await deliveries.size(job, RESULT), await deliveries.extension(job, RESULT)
                name = _name(job, extension, taken)
                about = zipfile.ZipInfo(name, time.gmtime(job.finished_at)[:6])
                about.file_size = size  # says whether it needs the large format
                with file.open(about, "w") as entry:
                    async for piece in deliveries.pieces(job, RESULT, slice(0, size)):
                        entry.write(piece)
                        yield sink.taken()
            except Expired:
                missing.append(f"{name} (job {job.id}) was removed while the archive was made\n")
        if missing:
            file.writestr(NOTE, "".join(["These are missing or cut off:\n", *missing]))
    yield sink.taken()


def safe_stem(name: str) -> str:
    """Return a client's name of a file, without path and extension, as one that is harmless on every system."""
    stem = re.split(r"[\\/]", name)[-1].rpartition(".")[0] or re.split(r"[\\/]", name)[-1]
    stem = _UNSAFE.sub("_", stem)[:NAME_LIMIT].strip(" .")
    return f"_{stem}" if not stem or _RESERVED.fullmatch(stem) else stem


def _name(job: Job, extension: str, taken: set[str]) -> str:
    stem, number = safe_stem(str(job.params.get("name") or "")), 1
    name = f"{stem}.{extension}"
    while name.lower() in taken:
        number += 1
        name = f"{stem}-{number}.{extension}"
    taken.add(name.lower())
    return name


class _Sink(io.RawIOBase):
    """Takes what is written, and gives it away; it cannot seek."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self._pieces.append(bytes(data))  # type: ignore[call-overload]
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        data, self._pieces = b"".join(self._pieces), []
        return data
