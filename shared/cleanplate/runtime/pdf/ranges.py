"""Which pages of a document are wanted, and whether these are too many. Pure."""

from __future__ import annotations

import re

from cleanplate.contract.problems import Invalid, TooLarge

_RANGE = re.compile(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", re.ASCII)


def page_numbers(ranges: str | None, pages: int) -> list[int]:
    """Return the page indexes, from 0, that "1-3,5" means in a document of so many pages; all if nothing is given.

    Raises:
        Invalid: it is not written like that, or a page is outside the document.
    """
    if ranges is None or not ranges.strip():
        return list(range(pages))
    chosen: set[int] = set()
    for part in ranges.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise Invalid("must be written like 1-3,5", field="page_ranges")
        first = int(match[1])
        last = int(match[2] or first)
        if not 1 <= first <= last <= pages:
            raise Invalid(f"pages {part.strip()} are not all between 1 and {pages}", field="page_ranges")
        chosen.update(range(first - 1, last))
    return sorted(chosen)


def check_count(pages: int, limit: int) -> None:
    """Raise TooLarge if these are more pages than are read at a time."""
    if pages > limit:
        detail = f"{pages} pages; at most {limit} are read at a time (max_pages)"
        raise TooLarge(detail, field="file", limit=limit, limit_name="max_pages")
