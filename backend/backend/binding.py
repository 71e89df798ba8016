"""A document put together from what was sent and the pages that were painted, in a process of its own.

A few bytes of PDF may need all memory to be read, so `python -m backend.binding FOLDER KIND PAGES MEMORY QUALITY` does
it: with `FOLDER/input` and `FOLDER/<page>` for each painted page it writes `FOLDER/result`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from backend.bound_pdf import bind_pdf
from backend.bound_tiff import bind_tiff
from backend.papers import Paper
from cleanplate.contract.problems import Malformed, StorageFull
from cleanplate.runtime.files import NO_ROOM
from cleanplate.runtime.pdf.renderer import limit_memory

LIMIT_S = 900.0
_FULL = 28  # the exit status that says so


async def bind(folder: Path, paper: Paper, memory: int, scan_quality: int | None) -> None:
    """Have the process write the result; see `bind_pdf`.

    Raises:
        Malformed: the document cannot be put together, or takes more time or memory than it may.
        StorageFull: there is no room for it.
    """
    told = [str(folder), paper.kind, str(paper.count), str(memory), str(scan_quality or 0)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "backend.binding", *told, env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            _, said = await process.communicate()
    except TimeoutError:
        raise Malformed(f"the document cannot be put together within {LIMIT_S:g} s", field="file") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == _FULL:
        raise StorageFull("there is no room to put the document together")
    if process.returncode:
        reason = said.decode(errors="replace").strip().rpartition("\n")[2][:300]
        raise Malformed(f"the document cannot be put together: {reason or process.returncode}", field="file")


def main(folder: Path, kind: str, pages: int, scan_quality: int | None) -> None:
    """Write the result."""
    pictures = {int(path.name): path for path in folder.iterdir() if path.name.isdigit()}
    pictures = dict(sorted(pictures.items()))
    source, target = folder / "input", folder / "result"
    if kind == "pdf":
        bind_pdf(source, pictures, target, scan_quality)
    else:
        bind_tiff(source, pages, pictures, target)


if __name__ == "__main__":
    limit_memory(int(sys.argv[4]))
    try:
        main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[5]) or None)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        sys.exit(_FULL)
