"""How far a job is, in words for whoever watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from cleanplate.client import Event

WORDS = {"queued": "waiting", "started": "finding text", "task_chosen": "repainting", "requeued": "waiting"}


@dataclass(frozen=True)
class Step:
    """How far the job is, 0 to 1, and what it does, in words; None or "" where that is as before."""

    progress: float | None
    message: str

    @classmethod
    def of(cls, event: Event) -> Self:
        """What an event of the job's log tells."""
        if event.type in ("retrying", "reconnecting"):
            return cls(None, f"waiting for the {event.data.get('service', 'service')}: {event.data.get('reason', '')}")
        return cls(event.progress, event.message or WORDS.get(event.type, ""))
