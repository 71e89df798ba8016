"""Options under a name, from a TOML file with a table for each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.options import Options
from cleanplate.contract.problems import Invalid
from cleanplate.runtime.web import invalid

Presets = Mapping[str, dict[str, Any]]


def read_presets(path: Path | None) -> Presets:
    """Return the presets of the file; none without one. Blocking.

    Raises:
        ValueError: it cannot be read, or has something that is no option.
    """
    if path is None:
        return {}
    try:
        presets = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be read: {error}") from None
    for name, options in presets.items():
        if not isinstance(options, dict) or "preset" in options:
            raise ValueError(f"[{name}] must be a table of options, without `preset`")
        try:
            Options.model_validate(options)
        except ValidationError as error:
            found = invalid(error)
            raise ValueError(f"[{name}] {found.field}: {found.detail}") from None
    return presets


def applied(presets: Presets, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given, and those of the preset that they name.

    Raises:
        Invalid: there is no such preset.
    """
    name = given.get("preset")
    if name is None:
        return given
    if not isinstance(name, str) or name not in presets:
        raise Invalid(f"is not known; known: {', '.join(sorted(presets)) or 'none'}", field="options.preset")
    return {**presets[name], **given}
