"""What `cleanplate models` does: say which there are, get their files, check them. The services fetch nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from backend.cli.downloads import FetchFailed, fetch, source_of
from backend.cli.inputs import UsageError
from backend.cli.inventory import KnownModel, ModelFile
from backend.cli.terminal import Terminal, shown


def chosen(models: Sequence[KnownModel], names: Sequence[str]) -> list[KnownModel]:
    """Return the named models, or all of them when none is named. Raises UsageError for a name that is none."""
    known = {model.name: model for model in models}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"there is no model {unknown[0]}; there are {', '.join(known)}")
    return [known[name] for name in names or known]


def tell(models: Sequence[KnownModel], terminal: Terminal) -> bool:
    """Give a line for each model."""
    for model in models:
        size = _megabytes(model.size_bytes) if model.files else ""
        words = model.reason if model.usable else f"not usable: {model.reason}"
        line = f"{model.name:<50} {'usable' if model.usable else '-':<7} {size:>9}  {model.license:<25} {model.where}"
        body = {"name": model.name, "usable": model.usable, "reason": words, "size_bytes": model.size_bytes}
        terminal.result(line.rstrip(), {**body, "license": model.license, "where": model.where, "page": model.page})
    return True


def fetch_all(models: Sequence[KnownModel], source: str | None, to: Path | None, terminal: Terminal) -> bool:
    """Fetch the files of these models; return whether all are there. Raises UsageError."""
    origin, well = source_of(source), True
    for model in models:
        if not model.files:
            well = _fetched_otherwise(model, terminal) and well
        for file in model.files:
            target = to / file.name if to else Path(file.path)
            status, detail = _fetched(file, target, origin, terminal)
            well = well and status != "failed"
            body = {"model": model.name, "file": str(target), "status": status, "detail": detail}
            terminal.result(f"{model.name}: {shown(target)}: {status}{f': {detail}' if detail else ''}", body)
    return well


def verify(models: Sequence[KnownModel], terminal: Terminal, *, absent_ok: bool) -> bool:
    """Check the files of these models; return whether none is wrong, or absent unless that is all right."""
    well = True
    for model in models:
        for file in model.files:
            path = Path(file.path)
            difference = file.difference(path) if path.is_file() else ""
            status = "wrong" if difference else "ok" if path.is_file() else "absent"
            well = well and (status == "ok" or (status == "absent" and absent_ok))
            body = {"model": model.name, "file": file.path, "status": status, "detail": difference}
            terminal.result(f"{model.name}: {shown(path)}: {status}{f': it {difference}' if difference else ''}", body)
    return well


def _fetched(file: ModelFile, target: Path, origin: str | Path | None, terminal: Terminal) -> tuple[str, str]:
    """Return the outcome, and the reason of a failure."""
    if target.is_file() and not file.difference(target):
        return "there already", ""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(24), DownloadColumn())
    bars = Progress(
        *columns,
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=terminal.err,
        disable=not terminal.shows_progress,
    )
    with bars:
        bar = bars.add_task(file.name, total=file.size_bytes)
        try:
            fetch(file, target, origin, lambda done, total: bars.update(bar, completed=done, total=total))
        except FetchFailed as failure:
            return "failed", str(failure)
        except OSError as error:
            return "failed", error.strerror or str(error)
    return "fetched", ""


def _fetched_otherwise(model: KnownModel, terminal: Terminal) -> bool:
    """Say of a model without files in the catalog what there is to do; return whether that is nothing."""
    detail = "nothing to fetch" if model.usable else model.reason
    status = "there already" if model.usable else "failed"
    body = {"model": model.name, "file": None, "status": status, "detail": detail}
    terminal.result(f"{model.name}: {status}: {detail}", body)
    return model.usable


def _megabytes(size_bytes: int | None) -> str:
    return "unknown" if size_bytes is None else f"{size_bytes / 1e6:.0f} MB"
