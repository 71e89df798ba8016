"""The commands about the jobs of a backend that runs; what they do is in `jobs`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from backend.cli import jobs as commands
from backend.cli.endpoints import found
from backend.cli.exits import exit_code
from backend.cli.launches import BACKEND
from backend.cli.terminal import Terminal
from cleanplate.client import Client
from cleanplate.client.views import Status

Backend = Annotated[str | None, typer.Option(envvar="CLEANPLATE_BACKEND_URL", help="URL of a backend that runs.")]
Key = Annotated[str, typer.Option(envvar="CLEANPLATE_API_KEY", help="API key of the service.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line on standard output.")]
Jobs = Annotated[list[str], typer.Argument(metavar="JOB...", help="Their ids.")]

app = typer.Typer()


@app.command()
def jobs(
    status: Annotated[Status | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    backend: Backend = None,
    key: Key = "",
    json: Json = False,
) -> None:
    """List the newest jobs of a backend that runs."""
    terminal = Terminal(json)
    _at(backend, key, terminal, lambda client: commands.list_jobs(client, status, limit, terminal))


@app.command()
def watch(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its id.")],
    backend: Backend = None,
    key: Key = "",
    json: Json = False,
) -> None:
    """Show what happens to a job until it has ended; Ctrl-C leaves the job alone."""
    terminal = Terminal(json)
    _at(backend, key, terminal, lambda client: commands.watch(client, job, terminal))


@app.command()
def cancel(
    jobs: Jobs,
    backend: Backend = None,
    key: Key = "",
    json: Json = False,
) -> None:
    """Cancel jobs of a backend that runs."""
    terminal = Terminal(json)
    _at(backend, key, terminal, lambda client: commands.change(client, "cancel", jobs, terminal))


@app.command()
def retry(
    jobs: Jobs,
    backend: Backend = None,
    key: Key = "",
    json: Json = False,
) -> None:
    """Queue jobs again that failed, or have pages that failed; what is done of them is not done again."""
    terminal = Terminal(json)
    _at(backend, key, terminal, lambda client: commands.change(client, "retry", jobs, terminal))


def _at(backend: str | None, key: str, terminal: Terminal, work: Callable[[Client], bool]) -> NoReturn:
    """Do something with a backend that runs, and end with its exit code."""

    def connected() -> bool:
        with Client(found(BACKEND, backend), key or None) as client:
            return work(client)

    raise typer.Exit(exit_code(connected, terminal))
