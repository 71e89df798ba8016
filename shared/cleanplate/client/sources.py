"""What is to be erased from: a file by its path, its bytes, an open file, or a URL that the backend fetches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, TypeAlias

Source: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO


def is_url(source: Source) -> bool:
    """Say whether the backend has to fetch it."""
    return isinstance(source, str) and source.startswith(("http://", "https://"))


def read(source: Source, name: str | None) -> tuple[str, bytes]:
    """Return the name and the bytes, which are read once however often they are sent. Blocking; raises OSError."""
    if isinstance(source, bytes | bytearray | memoryview):
        return name or "image", bytes(source)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return name or path.name, path.read_bytes()
    return name or Path(str(getattr(source, "name", "image"))).name, source.read()
