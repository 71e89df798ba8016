"""One part of a file, as the header `Range` asks for it (RFC 9110, section 14). Pure."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException

_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)


def part(header: str, size: int) -> slice | None:
    """Return the bytes that are wanted; None for all, as with what is not understood or names several parts.

    Raises:
        HTTPException: 416, the file has no such bytes.
    """
    found = _ONE_RANGE.fullmatch(header)
    first, last = found.groups() if found else ("", "")
    if not first and not last:
        return None
    if not first:
        wanted = slice(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        wanted = slice(int(first), min(size, int(last) + 1) if last else size)
    if wanted.start >= wanted.stop:
        raise HTTPException(416, f"the file has {size} bytes", {"Content-Range": f"bytes */{size}"})
    return wanted
