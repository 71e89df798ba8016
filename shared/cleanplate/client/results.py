"""What a job made."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from cleanplate.client.views import View


@dataclass(frozen=True)
class Result:
    """The file that a job made, its media type, and the job."""

    data: bytes = field(repr=False)
    media_type: str
    view: View

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file and return where it is: there as a whole or not at all. Blocking; raises OSError."""
        target = Path(path)
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            part.write_bytes(self.data)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target
