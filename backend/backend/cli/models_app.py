"""The `models` commands and their options; what they do is in `models`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from backend.cli import models
from backend.cli.exits import exit_code
from backend.cli.inventory import inventory
from backend.cli.terminal import Terminal

Json = Annotated[bool, typer.Option("--json", help="One JSON object per line on standard output.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="`list` has the names.")]
SomeNames = Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="All by default.")]
Source = Annotated[
    str | None, typer.Option("--from", metavar="FOLDER|URL", help="A folder, or the URL of a mirror, with the files.")
]
Target = Annotated[Path | None, typer.Option("--to", metavar="DIR", help="By default where the services look.")]


def commands(root: Callable[[], Path]) -> typer.Typer:
    """Return the commands; `root` tells the folder with the services' folders."""
    app = typer.Typer(help="List, fetch and verify the models of the services.", no_args_is_help=True)

    @app.command("list")
    def list_(json: Json = False) -> None:
        """List the models: whether they can be used, their size and license, and where they are."""
        terminal = Terminal(json)
        raise typer.Exit(exit_code(lambda: models.tell(inventory(root()), terminal), terminal))

    @app.command()
    def fetch(names: Names, source: Source = None, to: Target = None, json: Json = False) -> None:
        """Fetch the files of models, and check them; what broke off is resumed, what is there is left alone."""
        terminal = Terminal(json)

        def work() -> bool:
            return models.fetch_all(models.chosen(inventory(root()), names), source, to, terminal)

        raise typer.Exit(exit_code(work, terminal))

    @app.command()
    def verify(names: SomeNames = None, json: Json = False) -> None:
        """Check the files that are there; named models must be there."""
        terminal = Terminal(json)

        def work() -> bool:
            return models.verify(models.chosen(inventory(root()), names or ()), terminal, absent_ok=not names)

        raise typer.Exit(exit_code(work, terminal))

    return app
