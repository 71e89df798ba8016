"""`cleanplate erase`: what is to be done, what is done already, and the batch of what remains."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backend.cli.bars import Bars
from backend.cli.batch import Batch, Wishes
from backend.cli.endpoints import Endpoint, endpoint
from backend.cli.failures import ServicesFailed
from backend.cli.inputs import Item, Plan, find, plan
from backend.cli.launches import BACKEND
from backend.cli.outcomes import Outcome
from backend.cli.terminal import Terminal


@dataclass(frozen=True)
class Files:
    """Which pictures, where the results go, and in which format, as on the command line."""

    inputs: Sequence[str]
    out: str
    format: str | None = None
    force: bool = False

    def plan(self) -> Plan:
        """Return what there is to do. Raises UsageError."""
        return plan(find(self.inputs, Path(self.out)), self.out, self.format, force=self.force)


def erase(files: Files, wishes: Wishes, backend: str | None, root: Path, terminal: Terminal) -> bool:
    """Erase the pictures and give each outcome; return whether all went well. Blocking.

    Args:
        files: which, and where to.
        wishes: how.
        backend: its URL; see `endpoint`.
        root: the folder with the services' folders.
        terminal: is told the outcomes.

    Raises:
        UsageError: the files do not go together.
        ServicesFailed: there is no backend, or a service that was started for this has ended.
        KeyboardInterrupt: Ctrl-C; the jobs are cancelled.
    """
    wanted = files.plan()
    known = settled(wanted, files.force)
    for outcome in known.values():
        outcome.tell(terminal)
    well = all(outcome.well for outcome in known.values())
    rest = [item for item in wanted.items if item not in known]
    if not rest:
        return well
    with endpoint(BACKEND, backend, root, terminal) as place:
        return _run(rest, wishes, place, terminal) and well


def settled(plan: Plan, force: bool) -> dict[Item, Outcome]:
    """Return what is known without erasing anything: results that are there, pictures that are not."""
    found = {}
    for item in plan.items:
        if not item.source.exists():
            found[item] = Outcome.failed(item, "there is no such file")
        elif plan.keeps_existing and not force and (there := item.existing()):
            found[item] = Outcome.skipped(replace(item, target=there))
    return found


def _run(items: Sequence[Item], wishes: Wishes, place: Endpoint, terminal: Terminal) -> bool:
    with Bars(terminal, len(items)) as bars:
        batch = Batch(items, wishes, place, terminal, bars)
        try:
            return asyncio.run(batch.run())
        except ServicesFailed:
            batch.give_up("a service has ended")
            raise
