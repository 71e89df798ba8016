"""Which part of a job a client means: the picture that it is about, or a page of its document. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend import spans
from backend.artifacts import INPUT, REGIONS
from backend.sheets import page_file, page_state
from cleanplate.contract.problems import Invalid
from cleanplate.runtime.jobs import Job


@dataclass(frozen=True)
class Part:
    """The picture of a job (`number` None), or a page, counted from 1."""

    job: Job
    number: int | None = None

    @property
    def state(self) -> Mapping[str, Any]:
        """What of it is done, as a checkpoint."""
        return self.job.checkpoint if self.number is None else page_state(self.job.checkpoint, self.number)

    @property
    def found(self) -> bool:
        """Whether its text was found."""
        return "detected" in self.state

    @property
    def edited_key(self) -> str:
        """Where the job's checkpoint says which file has the regions as edited; the job itself never writes there."""
        return "edited" if self.number is None else f"edited-{self.number}"

    @property
    def regions_file(self) -> str:
        """The name of the file with its regions, as edited if they were."""
        name: str = self.job.checkpoint.get(self.edited_key) or self.name(REGIONS)
        return name

    @property
    def input_file(self) -> str:
        """The name of the file with it as a picture."""
        return f"{self.job.digest[:16]}.{INPUT}" if self.number is None else self.name(INPUT)

    def name(self, file: str) -> str:
        """Return under which name the job keeps this file of it."""
        return file if self.number is None else page_file(self.number, file)


def numbers(job: Job) -> list[int]:
    """Return which pages of the job's document are erased; none for a picture."""
    found: list[int] = (job.params.get("paper") or {}).get("numbers", [])
    return found


def reached(job: Job) -> float | None:
    """Return how much of a document's job its pages have done, 0 to 1; None for a picture."""
    shares = [page_state(job.checkpoint, number).get("share", 0.0) for number in numbers(job)]
    return spans.PAGES * sum(shares) / len(shares) if shares else None


def part_of(job: Job, page: int | None) -> Part:
    """Return the part that `page` names.

    Raises:
        Invalid: a document without a page, or a page that is not worked on.
    """
    pages = numbers(job)
    if not pages and page in (None, 1):
        return Part(job)
    if not pages:
        raise Invalid("this is a picture; it has page 1 only", field="page")
    if page is None:
        raise Invalid(f"this is a document of which {len(pages)} pages are worked on; name one", field="page")
    if page not in pages:
        raise Invalid(f"page {page} is not among those that are worked on", field="page")
    return Part(job, page)
