"""Replicas and workers of one service: what takes long, the imports, is done once, before each is forked off.

A program of its own: `crew.py SERVICE`. Each line of its input is a JSON object with the `arguments` of a process and
the variables that it has besides; it is answered with that one's id. At the end of its input all of them end.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import Any

from tests.faults.nursery import SETTINGS, _engines


def main(service: str) -> None:
    """Obey."""
    app, settings = importlib.import_module(f"{service}.app"), importlib.import_module(f"{service}.settings")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who is killed is not waited for
    children = []
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _serve(service, app, settings, **json.loads(line))
        children.append(child)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _serve(service: str, app: Any, settings: Any, *, arguments: list[str], environ: dict[str, str]) -> None:
    from cleanplate.runtime.service import is_worker, serve
    from cleanplate.runtime.settings import read_settings

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.stdin.close()
    os.environ.update(environ)
    read = read_settings(getattr(settings, SETTINGS[service]), settings.PREFIXES)
    serve(app.make_app(read, *_engines(service), worker=is_worker(arguments, read)), read)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
