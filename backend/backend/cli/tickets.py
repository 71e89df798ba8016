"""A note beside a result that is being made: by it a batch that was cut off finds the job again that it left behind.

It names the job's idempotency key and is removed with the outcome. So what is made anew on purpose is made anew, and
only what nobody waited for is taken up again.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from backend.cli.results import write


@dataclass(frozen=True)
class Ticket:
    """The key of a job, and whether an earlier batch has `left` it behind. Its methods block and raise OSError."""

    path: Path
    order: str
    key: str
    left: bool

    @classmethod
    def taken(cls, target: Path, url: str, options: Mapping[str, Any], image: bytes) -> Self:
        """Return the ticket that is there for the same order, or a new one, written."""
        told = json.dumps([url, options], sort_keys=True).encode()
        order = hashlib.sha256(told + hashlib.sha256(image).digest()).hexdigest()
        path = target.with_name(f".{target.name}.job")
        left = _read(path)
        if left.get("order") == order:
            return cls(path, order, str(left.get("key")), left=True)
        return cls(path, order, "", left=False).renewed()

    def renewed(self) -> Self:
        """Return a ticket for another job, written."""
        new = type(self)(self.path, self.order, uuid.uuid4().hex, left=False)
        write(new.path, json.dumps({"order": new.order, "key": new.key}).encode())
        return new

    def remove(self) -> None:
        """Let no later batch look for the job."""
        self.path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
