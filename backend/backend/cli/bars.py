"""Progress bars: one for the batch, one for each picture at work. Without a screen they are not drawn."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from backend.cli.steps import Step
from backend.cli.terminal import Terminal


class Bars:
    """The bars of a batch of `total` pictures."""

    def __init__(self, terminal: Terminal, total: int):
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=32)),
            BarColumn(24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[message]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
            console=terminal.err,
            transient=True,
            disable=not terminal.shows_progress,
            redirect_stdout=terminal.both_on_screen,
        )
        self._batch = self._progress.add_task("all pictures", total=total, message="", visible=total > 1)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, name: str) -> TaskID:
        """Draw a bar for a picture."""
        return self._progress.add_task(name, total=1.0, message="sending")

    def step(self, bar: TaskID, step: Step) -> None:
        """Move a picture's bar; it never goes back."""
        known = next(task for task in self._progress.tasks if task.id == bar)
        message = step.message or known.fields["message"]
        self._progress.update(bar, completed=max(known.completed, step.progress or 0.0), message=message)

    def end(self, bar: TaskID) -> None:
        """Remove a picture's bar."""
        self._progress.remove_task(bar)

    def count(self) -> None:
        """Move the batch's bar by one picture."""
        self._progress.advance(self._batch)
