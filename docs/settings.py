"""Write docs/settings.md from the settings themselves: `tests/.venv/bin/python docs/settings.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backend.settings import BackendSettings
from inpaint_service.settings import InpaintSettings
from ocr_service.settings import OcrSettings

PAGE = Path(__file__).with_name("settings.md")
SERVICES = {"backend": BackendSettings, "inpaint-service": InpaintSettings, "ocr-service": OcrSettings}


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


if __name__ == "__main__":
    PAGE.write_text("\n".join(lines()) + "\n")
