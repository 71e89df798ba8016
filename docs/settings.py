"""Write what is made from the settings: docs/settings.md, compose/.env.example and the lists in compose/compose.yaml.

Run it after a change: `tests/.venv/bin/python docs/settings.py`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from backend.settings import BackendSettings
from inpaint_service.settings import InpaintSettings
from ocr_service.settings import OcrSettings

PAGE = Path(__file__).with_name("settings.md")
COMPOSE = Path(__file__).parents[1] / "compose" / "compose.yaml"
EXAMPLE = COMPOSE.with_name(".env.example")
SERVICES = {"backend": BackendSettings, "inpaint-service": InpaintSettings, "ocr-service": OcrSettings}
FIXED_BY_THE_IMAGE = {"HOST", "PORT", "DATA"}


def lines() -> Iterator[str]:
    """Yield the page line by line."""
    yield "# Settings"
    yield ""
    yield "Every setting is an environment variable, read once, at the start. An unknown name with a service's prefix,"
    yield "or a value out of range, ends the start with a message. Made by `docs/settings.py` from the code."
    for service, settings in SERVICES.items():
        yield from ("", f"## {service}", "", "| variable | default | |", "|---|---|---|")
        for name, default, description in settings.names():
            yield f"| `{name}` | {f'`{default}`' if default else ''} | {description} |"


def compose_lines() -> list[str]:
    """Return compose.yaml with the names of all settings that it does not give a value itself."""
    text = COMPOSE.read_text()
    given = set(re.findall(r"^      - (\w+)=", text, re.MULTILINE))
    for service, settings in SERVICES.items():
        names = [name for name, _, _ in settings.names() if name.rpartition("_")[2] not in FIXED_BY_THE_IMAGE]
        listed = "".join(f"      - {name}\n" for name in names if name not in given)
        before = rf"(^  {service}:\n(?:    .*\n)*?)(?:      - \w+\n)+"
        text = re.sub(before, lambda found, listed=listed: found[1] + listed, text, count=1, flags=re.MULTILINE)
    return text.splitlines()


def example_lines() -> Iterator[str]:
    """Yield the example of an .env file line by line: what compose.yaml takes from it, each with its default."""
    compose = "\n".join(compose_lines())
    replaced = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", compose))
    wanted = {*re.findall(r"^      - (\w+)$", compose, re.MULTILINE), *replaced}
    yield "# Copy this to .env beside compose.yaml, and take the # away from what you set. Addresses and folders inside"
    yield "# the containers are fixed, so they are not here. Made by docs/settings.py from the code."
    for service, settings in SERVICES.items():
        yield from ("", f"# ---- {service}")
        for name, default, description in settings.names():
            if name in wanted:
                yield from ("", *textwrap.wrap(description, 118, initial_indent="# ", subsequent_indent="# "))
                yield f"#{name}={replaced.get(name, '' if default == 'None' else default)}"
                wanted.remove(name)  # LOG_LEVEL is of all three
    yield from ("", "# ---- Docker: the most memory that a service may take", "")
    yield from (f"#{name}={replaced[name]}" for name in sorted(wanted))


PAGES = {PAGE: lines, COMPOSE: compose_lines, EXAMPLE: example_lines}

if __name__ == "__main__":
    for page, made in PAGES.items():
        page.write_text("\n".join(made()) + "\n")
