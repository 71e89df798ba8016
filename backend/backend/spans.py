"""Which part of a job's progress each of its steps is. Pure.

A look for what is still readable takes about a fifth of the time of the first detection, which has text to read.
"""

from __future__ import annotations

from dataclasses import dataclass

DETECTED = 0.30
MASKED = 0.35
INPAINTED = 0.95
KEPT = 0.99
PAGES = 0.97  # of a document's job: all its pages; the rest is binding them

MOST_PAINTINGS = 3
_VERIFYING = (0.80, 0.88, 0.91, 0.93, 0.95, 0.97)  # from the first painting's end: a look, a painting, a look, …


@dataclass(frozen=True)
class Span:
    """A step from `begin` to `end` of the job, in a stage that goes from `first` to `last`; all 0 to 1 of the job."""

    stage: str
    begin: float
    end: float
    first: float
    last: float

    def at(self, share: float) -> float:
        """Return how far the job is when this much of the step is done."""
        return self.begin + (self.end - self.begin) * share

    def stage_progress(self, share: float) -> float:
        """Return how far the stage is then, 0 to 1."""
        return round((self.at(share) - self.first) / (self.last - self.first), 4)


def painting(number: int, *, verify: bool) -> Span:
    """Return the part of the job's first, second or third painting."""
    if number == 1:
        end = _VERIFYING[0] if verify else INPAINTED
        return Span("inpainting", MASKED, end, MASKED, end)
    return _verifying(2 * number - 3, 2 * number - 2)


def look(number: int, *, last: bool = False) -> Span:
    """Return the part of the look at what that painting gave; the `last` one goes to the end of the stage."""
    return _verifying(2 * number - 2, -1 if last else 2 * number - 1)


def _verifying(begin: int, end: int) -> Span:
    return Span("verifying", _VERIFYING[begin], _VERIFYING[end], _VERIFYING[0], _VERIFYING[-1])
