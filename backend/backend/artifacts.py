"""The files that a job leaves, by name."""

from __future__ import annotations

INPUT, REGIONS, MASK, RESULT = "input", "regions.json", "mask.png", "result"


def painted(number: int) -> str:
    """Return the name of what the job's first, second, … painting gave; they are removed once the result is kept."""
    return f"painted-{number}"


def edited(digest: str) -> str:
    """Return the name of the regions as a client has edited them."""
    return f"edited-{digest[:16]}.json"
