"""Processes of one service that begin at once: what takes long, the imports, is done once, before each is forked off.

A program of its own, run by the service's interpreter: `nursery.py SERVICE`. Each line of its input ends the process
that runs, as `kill -9` does, and starts the next; it is answered with that one's id. At the end of its input it ends.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

SETTINGS = {"backend": "BackendSettings", "inpaint_service": "InpaintSettings", "ocr_service": "OcrSettings"}


def main(service: str) -> None:
    """Obey."""
    app, settings = importlib.import_module(f"{service}.app"), importlib.import_module(f"{service}.settings")
    child = 0
    for _ in sys.stdin:
        _end(child)
        child = os.fork()
        if not child:
            _serve(service, app, settings)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    _end(child)


def _serve(service: str, app: Any, settings: Any) -> None:
    from cleanplate.runtime.service import serve
    from cleanplate.runtime.settings import read_settings

    sys.stdin.close()
    read = read_settings(getattr(settings, SETTINGS[service]), settings.PREFIXES)
    serve(app.make_app(read, *_engines(service)), read)
    os._exit(0)


def _engines(service: str) -> list[Any]:
    """Return what loads the engine, where it is not the service's own."""
    if service != "ocr_service":
        return []
    from tests.wires.dark import DarkReader

    return [lambda *_, **__: DarkReader()]


def _end(child: int) -> None:
    if child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1])
