"""Which models are loaded: the service's own from the start, others when a request names them, the oldest let go."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.problems import EngineUnavailable, Invalid
from inpaint_service.engines import NAMES, Device, Inpainter, Params, load, usable
from inpaint_service.strategy import AUTO, EMBEDDED

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelChoice:
    """What the settings say about models."""

    name: str
    device: Device = "auto"
    strict: bool = False
    folder: Path | None = None
    weights: Path | None = None
    threads: int | None = None
    kept: int = 2


class Guarded:
    """An engine that takes no more calls at once than it can bear; the others wait."""

    def __init__(self, engine: Inpainter):
        self.name = engine.name
        self.device = engine.device
        self.modulus = engine.modulus
        self.calls_at_once = engine.calls_at_once
        self.largest_side_px = engine.largest_side_px
        self._engine = engine
        self._turn = threading.BoundedSemaphore(engine.calls_at_once)

    def warm_up(self) -> None:
        with self._turn:
            self._engine.warm_up()

    def inpaint(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        with self._turn:
            return self._engine.inpaint(rgb, mask, params)

    def close(self) -> None:
        with self._turn:
            self._engine.close()


class Models:
    """The loaded models. Blocking and safe to call from any thread; one model is loaded at a time."""

    def __init__(self, choice: ModelChoice, loader: Callable[..., Inpainter] = load):
        self._choice = choice
        self._loader = loader
        self._loaded: OrderedDict[tuple[str, str], Guarded] = OrderedDict()
        self._loading = threading.Lock()
        self.state = "loading"
        self.name = choice.name
        self.fallback = ""

    def start(self) -> None:
        """Load and warm the service's own model; where it cannot be used, take the embedded fills instead.

        Raises:
            EngineUnavailable: it cannot be used and `strict` is set, or its name is unknown.
        """
        choice = self._choice
        try:
            if choice.name not in NAMES:
                raise EngineUnavailable(f"there is no model {choice.name}; there are {', '.join(NAMES)}")
            self.get(None)
        except EngineUnavailable as problem:
            self.state = "error"
            if choice.strict or choice.name not in NAMES:
                raise
            self.fallback = problem.detail
            self.name = AUTO
            log.warning("model %s cannot be used, the embedded fills stand in: %s", choice.name, problem.detail)
            self.get(None)
        self.state = "ready"

    def get(self, name: str | None, device: Device | None = None) -> Guarded:
        """Return a model, loading it if need be.

        Raises:
            Invalid: there is no model of this name.
            EngineUnavailable: it cannot be used here.
        """
        self.check(name)
        name, device = name or self.name, device or self._choice.device
        key = (name, device)
        with self._loading:
            if key not in self._loaded:
                engine = Guarded(self._load(name, device))
                engine.warm_up()
                self._loaded[key] = engine
                self._let_go()
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def check(self, name: str | None) -> None:
        """Raise what `get` would raise, without loading anything."""
        if name is None:
            return
        if name not in NAMES:
            raise Invalid(f"there is no model {name}; there are {', '.join(NAMES)}", field="model")
        able, reason = usable(name, weights_dir=self._choice.folder, weights=self._weights(name))
        if not able:
            raise Invalid(f"{name} cannot be used here: {reason}", field="model")

    def usable(self) -> list[dict[str, object]]:
        """Return for every model its name, whether it can be used, and why not."""
        found = ((name, *usable(name, weights_dir=self._choice.folder, weights=self._weights(name))) for name in NAMES)
        return [{"name": name, "usable": able, "reason": reason} for name, able, reason in found]

    def view(self) -> dict[str, object]:
        """Return the body of /api/v1/model."""
        own = next((engine for (name, _), engine in self._loaded.items() if name == self.name), None)
        return {
            "name": self.name,
            "device": own.device if own else self._choice.device,
            "status": self.state,
            "parameters": {
                "requested": self._choice.name,
                "fallback_reason": self.fallback or None,
                "loaded": [name for name, _ in self._loaded],
                "threads": self._choice.threads,
            },
        }

    def close(self) -> None:
        """Let go of all models."""
        with self._loading:
            while self._loaded:
                self._loaded.popitem()[1].close()

    def _load(self, name: str, device: Device) -> Inpainter:
        choice = self._choice
        return self._loader(
            name, device=device, weights_dir=choice.folder, weights=self._weights(name), threads=choice.threads
        )

    def _weights(self, name: str) -> Path | None:
        return self._choice.weights if name == self._choice.name else None

    def _let_go(self) -> None:
        spare = [key for key in self._loaded if key[0] != self.name and key[0] not in EMBEDDED]
        for key in spare[: max(0, len(spare) - self._choice.kept + 1)]:
            self._loaded.pop(key).close()
