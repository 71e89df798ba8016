"""Writing a result: it is there as a whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write(target: Path, data: bytes) -> None:
    """Write a file, and make its folder; what was there is replaced at once. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
