"""What a job keeps: the document that was sent, a file for each page that was read, and the searchable PDF."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cleanplate.runtime.run import Run

KIND = "document"
DOCUMENT, SEARCHABLE = "document", "searchable.pdf"
READ_SHARE = 0.95  # of the progress; the rest is the searchable PDF's


def page_file(number: int) -> str:
    """Return the name of the file with what was read on a page, counted from 1."""
    return f"page-{number:06}.json"


async def keep(run: Run, page: dict[str, Any]) -> None:
    """Store what was read, then say so: whoever is told can fetch it."""
    await run.still_mine()
    await run.put(page_file(page["page"]), await asyncio.to_thread(lambda: json.dumps(page).encode()))
    total, done = len(run.job.params["pages"]), run.job.checkpoint.get("done", 0) + 1
    failed = list(run.job.checkpoint.get("failed", []))
    told = {"page": page["page"], "pages": total, "done": done, "lines": len(page["regions"])}
    if page.get("warnings"):
        told["warnings"] = page["warnings"]
    if "error" in page:
        failed.append({"page": page["page"], **page["error"]})
        told["error"] = page["error"]
    checkpoint = {"done": done, "failed": failed}
    message = f"page {page['page']}, {done} of {total}"
    await run.report("reading", READ_SHARE * done / total, checkpoint=checkpoint, message=message, **told)


async def kept(run: Run, number: int) -> dict[str, Any]:
    """Return what was read on a page, or why it could not be."""
    data = await run.board.call(run.board.files.get, run.job.id, page_file(number))
    page: dict[str, Any] = json.loads(data)
    return page
