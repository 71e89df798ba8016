"""What became of a picture, as a line for a person and as an object for a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

from backend.cli.inputs import Item
from backend.cli.terminal import Terminal, shown


@dataclass(frozen=True)
class Outcome:
    """What became of one picture or document.

    `regions` is how many were erased, `residual` which of them can still be read, `failed_pages` which pages stayed as
    they were.
    """

    item: Item
    status: Literal["done", "skipped", "failed"]
    seconds: float = 0.0
    regions: int = 0
    job_id: str = ""
    reason: str = ""
    code: str = ""
    residual: tuple[str, ...] = ()
    failed_pages: tuple[int, ...] = ()

    @classmethod
    def skipped(cls, item: Item) -> Self:
        """Its result is there already."""
        return cls(item, "skipped", reason="the result exists; --force makes it anew", code="exists")

    @classmethod
    def failed(cls, item: Item, reason: str, code: str = "", job_id: str = "", seconds: float = 0.0) -> Self:
        """It was not erased."""
        return cls(item, "failed", seconds, job_id=job_id, reason=reason, code=code)

    @classmethod
    def of_view(cls, item: Item, view: dict[str, Any], seconds: float) -> Self:
        """Its job has ended."""
        if view["status"] == "succeeded":
            result = view["result"]
            residual = tuple(result.get("residual_regions") or ())  # an older backend does not tell
            failed = tuple(result.get("failed_pages") or ())
            return cls(item, "done", seconds, _erased(result), view["job_id"], residual=residual, failed_pages=failed)
        error = view.get("error") or {}
        reason = str(error.get("detail") or f"the job was {view['status']}")
        return cls.failed(item, reason, str(error.get("code", view["status"])), view["job_id"], seconds)

    @property
    def well(self) -> bool:
        """Whether all of it is as it was wanted."""
        return self.status != "failed" and not self.failed_pages

    def tell(self, terminal: Terminal) -> None:
        """Give it as a command's result."""
        terminal.result(self.line(), self.body())

    def line(self) -> str:
        """Return it for a person."""
        source, target = shown(self.item.source), shown(self.item.target)
        if self.status == "done":
            left = f" ({len(self.residual)} still readable)" if self.residual else ""
            failed = f"; pages {', '.join(map(str, self.failed_pages))} failed" if self.failed_pages else ""
            return f"{source} -> {target}: {self.regions} regions{left}, {self.seconds:.1f} s{failed}"
        return f"{source}: {self.status}: {self.reason} {f'({target})' if self.status == 'skipped' else ''}".rstrip()

    def body(self) -> dict[str, Any]:
        """Return it for a program."""
        told: dict[str, Any] = {
            "input": str(self.item.source),
            "output": str(self.item.target),
            "status": self.status,
            "regions": self.regions if self.status == "done" else None,
            "residual_regions": list(self.residual) if self.status == "done" else None,
            "failed_pages": list(self.failed_pages) if self.status == "done" else None,
            "seconds": round(self.seconds, 3),
            "job_id": self.job_id or None,
        }
        if self.status != "done":
            told["error"] = {"code": self.code or None, "detail": self.reason}
        return told


def _erased(result: dict[str, Any]) -> int:
    """Return how many regions a job has erased: those of a picture, or of all pages."""
    pages = result.get("pages")
    return len(result["regions"]) if pages is None else sum(page.get("regions_erased") or 0 for page in pages)
