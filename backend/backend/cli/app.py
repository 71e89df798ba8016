"""The commands and their options; what they do is in the modules of the same names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from backend.cli import checks, completions, jobs_app, models_app
from backend.cli.batch import Wishes
from backend.cli.doctor import doctor as run_doctor
from backend.cli.erase import Files
from backend.cli.erase import erase as run_erase
from backend.cli.exits import exit_code, heed_signals
from backend.cli.jobs_app import Backend, Json, Key
from backend.cli.launches import BACKEND, INPAINT, OCR, PORTS
from backend.cli.ocr import ocr as run_ocr
from backend.cli.terminal import Terminal
from backend.cli.up import up as run_up

HELP = "Erase the text of pictures and documents and keep the picture behind it."
EXIT_CODES = "Exit codes: 0 all went well; 1 something failed; 2 the command line makes no sense; 130 interrupted."

app = typer.Typer(
    help=HELP,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Pictures = Annotated[list[str], typer.Argument(metavar="IN...", help="Files, folders, glob patterns.")]
Port = Annotated[int, typer.Option(min=1, max=65535, show_default=True)]
Engine = Annotated[str | None, typer.Option(help="OCR engine; `doctor` lists them.")]
Languages = Annotated[str | None, typer.Option(help="Of the text, such as en,ja.")]
Data = Annotated[Path | None, typer.Option(help="Folder for data and logs; `data` beside the services by default.")]
PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True}


@app.callback()
def start() -> None:  # noqa: D103 - the help is HELP
    heed_signals()


@app.command()
def up(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    backend_port: Port = PORTS[BACKEND],
    inpaint_port: Port = PORTS[INPAINT],
    ocr_port: Port = PORTS[OCR],
    data: Data = None,
    json: Json = False,
) -> None:
    """Run the three services until Ctrl-C."""
    ports = {OCR: ocr_port, INPAINT: inpaint_port, BACKEND: backend_port}
    raise typer.Exit(run_up(root(), data or root() / "data", host, ports, Terminal(json)))


@app.command()
def erase(
    pictures: Pictures,
    output: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="A file, or a folder for several.")],
    engine: Engine = None,
    languages: Languages = None,
    model: Annotated[str | None, typer.Option(help="Inpainting model; `doctor` lists them.")] = None,
    mask_mode: Annotated[Literal["auto", "box", "polygon", "stroke"] | None, typer.Option()] = None,
    mask_dilation: Annotated[
        float | None, typer.Option(min=0, max=500, help="How far the mask grows: px, below 1 a share of text height.")
    ] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Leave text read with less.")] = None,
    match: Annotated[str | None, typer.Option(help="Erase only text with this regular expression in it.")] = None,
    keep: Annotated[str | None, typer.Option(help="Leave text with this regular expression in it.")] = None,
    pages: Annotated[str | None, typer.Option(help="Of documents, such as 1-3,5; others stay as they are.")] = None,
    preset: Annotated[str | None, typer.Option(help="Options that the backend has under this name.")] = None,
    format: Annotated[
        Literal["png", "jpeg", "webp", "same"] | None,
        typer.Option(help="By default what the suffix of OUT says, else png; `same` is each picture's own."),
    ] = None,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="Of JPEG and WebP.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Look again, and repaint what is still readable.")
    ] = True,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Pictures at once.")] = 2,
    backend: Backend = None,
    key: Key = "",
    json: Json = False,
    force: Annotated[bool, typer.Option("--force", help="Replace results that exist.")] = False,
) -> None:
    """Erase the text of pictures and documents.

    In a folder, results that exist are kept, and jobs that a broken-off batch has left behind are taken up again.
    """
    named: dict[str, Any] = {"engine": engine, "model": model, "mask_mode": mask_mode, "mask_dilation": mask_dilation}
    named |= {
        "languages": _listed(languages),
        "min_score": min_score,
        "match": match,
        "keep": keep,
        "pages": pages,
        "preset": preset,
        "quality": quality,
    }
    named |= {"verify": None if verify else False}
    options = {name: value for name, value in named.items() if value is not None}
    terminal, files = Terminal(json), Files(pictures, output, format, force)
    wishes = Wishes(options, jobs, key)
    raise typer.Exit(exit_code(lambda: run_erase(files, wishes, backend, root(), terminal), terminal))


@app.command()
def ocr(
    pictures: Pictures,
    engine: Engine = None,
    languages: Languages = None,
    service: Annotated[
        str | None, typer.Option("--ocr", envvar="CLEANPLATE_OCR_URL", help="URL of an ocr-service that runs.")
    ] = None,
    key: Key = "",
    json: Json = False,
) -> None:
    """Print the text of pictures."""
    given = {"engine": engine, "languages": _listed(languages)}
    params = {name: value for name, value in given.items() if value is not None}
    terminal = Terminal(json)
    raise typer.Exit(exit_code(lambda: run_ocr(pictures, params, service, key, root(), terminal), terminal))


@app.command()
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument()]) -> None:
    """Print what completes this command line, for your shell to read: `source <(./cleanplate completion bash)`."""
    typer.echo(completions.script(shell, root() / "cleanplate"))


@app.command()
def doctor(data: Data = None, json: Json = False) -> None:
    """Say what works in this installation, what does not, and why."""
    terminal = Terminal(json)
    raise typer.Exit(exit_code(lambda: run_doctor(root(), data or root() / "data", PORTS, terminal), terminal))


@app.command()
def lint() -> None:
    """Run ruff and mypy over everything."""
    raise typer.Exit(checks.lint(root(), Terminal()))


@app.command("test", context_settings=PASSED_ON)
def run_tests(
    context: typer.Context,
    unit: Annotated[bool, typer.Option("--unit", help="Without live services.")] = False,
    compose: Annotated[bool, typer.Option("--compose", help="The containers, and nothing else; needs Docker.")] = False,
) -> None:
    """Run lint and the tests; what is not known here is passed on to pytest."""
    rounds = checks.COMPOSE if compose else (checks.FAST,) if unit else checks.ALL
    raise typer.Exit(checks.test(root(), rounds, context.args, Terminal()))


def _listed(given: str | None) -> list[str] | None:
    return None if given is None else [item.strip() for item in given.split(",")]


def root() -> Path:
    """Return the folder with the services' folders."""
    return Path(os.environ.get("CLEANPLATE_ROOT") or Path(__file__).resolve().parents[3])


app.add_typer(jobs_app.app)
app.add_typer(models_app.commands(root), name="models")
