"""Which engine can be loaded here, which languages it reads, and loading it: the only place that imports one."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cleanplate.contract.problems import EngineUnusable, Invalid, Problem
from ocr_service.engines import weights
from ocr_service.engines.needs import EngineOptions
from ocr_service.engines.protocols import RemoteEngine, TextEngine
from ocr_service.engines.recognizers import RECOGNIZERS
from ocr_service.engines.table import DEFAULT, entry

log = logging.getLogger(__name__)


def usable(name: str, options: EngineOptions | None = None) -> tuple[bool, str]:
    """Say whether the engine can be loaded here, and why not; the reason is empty if it can. Imports no library.

    Args:
        name: a key of `ENGINES`.
        options: the operator's; without them nothing is set.

    Raises:
        Invalid: there is no engine of this name.
    """
    known = entry(name)
    missing = [package for package in known.packages if importlib.util.find_spec(package) is None]
    if missing:
        return False, f"not installed: {', '.join(missing)}"
    try:
        for file in known.weights:
            weights.embedded(file)
    except EngineUnusable as problem:
        return False, problem.detail
    reason = known.missing(options or EngineOptions())
    return not reason, reason


def languages(name: str, options: EngineOptions) -> list[str] | None:
    """Return the codes of all languages that an engine reads with the models that are here; None: nobody knows."""
    if (runtime := entry(name).runtime(options)) is None:
        return None
    return sorted(set().union(*(RECOGNIZERS[one].languages for one in options.text.recognizers(runtime))))


def reading(name: str, options: EngineOptions, codes: Sequence[str]) -> EngineOptions:
    """Return the options with which an engine reads these languages, with its own models where they do.

    Raises:
        Invalid: it cannot, or there is no such engine.
    """
    if not codes:
        return options
    known = entry(name)
    if "languages" not in known.can:
        raise Invalid(f"the engine {name} cannot be told the languages", field="languages")
    runtime = known.runtime(options)
    return options if runtime is None else replace(options, text=options.text.reading(codes, runtime))


def load(
    name: str = DEFAULT, *, threads: int = 1, cache: Path | None = None, options: EngineOptions | None = None
) -> TextEngine | RemoteEngine:
    """Import the engine's libraries and load its weights.

    Args:
        name: a key of `ENGINES`.
        threads: how many a single call may use; 0: what leaves several copies as fast as one each does.
        cache: where prepared weights are kept; `weights.default_cache()` when not given.
        options: the operator's, for the engines that need any.

    Raises:
        Invalid: there is no engine of this name.
        EngineUnusable: it cannot be used here.
    """
    ok, reason = usable(name, options)
    if not ok:
        raise EngineUnusable(f"the engine {name} cannot be used here: {reason}")
    module = importlib.import_module(f"{__package__}.{name}")
    try:
        engine: TextEngine | RemoteEngine = module.load(
            threads=threads, cache=cache, options=options or EngineOptions()
        )
    except Problem:
        raise
    except Exception as error:  # what the libraries raise for broken models is of no common kind
        log.warning("the engine %s cannot be loaded", name, exc_info=error)
        raise EngineUnusable(f"the engine {name} cannot be loaded; the log says why") from error
    return engine
