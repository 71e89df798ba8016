"""Which models are in memory: the service's own from the start, others when a request names them, the oldest let go.

Loading one holds up nobody who needs another: each is loaded in a thread of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cleanplate.contract.problems import EngineUnavailable, Invalid
from inpaint_service.copies import Model
from inpaint_service.engines import NAMES, Device, Economy, Inpainter, PrecisionUnsupported, load, usable
from inpaint_service.strategy import AUTO, EMBEDDED

log = logging.getLogger(__name__)

LONGEST_NAP_S = 15.0


@dataclass(frozen=True)
class ModelChoice:
    """What the settings say about models.

    Attributes:
        kept: how many models stay in memory besides the service's own.
        copies: how many of each, the embedded fills aside.
        idle_unload_s: after so long without a call a model is let go; 0: never.
    """

    name: str
    device: Device = "auto"
    strict: bool = False
    folder: Path | None = None
    weights: Path | None = None
    threads: int | None = None
    kept: int = 2
    copies: int = 1
    idle_unload_s: float = 0.0
    economy: Economy = field(default_factory=Economy)


class Models:
    """The models of a service. Safe to call from any thread; `get` and `start` block while a model loads."""

    def __init__(
        self,
        choice: ModelChoice,
        loader: Callable[..., Inpainter] = load,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._choice = choice
        self._loader = loader
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], Model] = OrderedDict()
        self._lock = threading.Lock()
        self._begun: Future[None] = Future()
        self._closed = threading.Event()
        self._failed = False
        self.name = choice.name
        self.fallback = ""

    def start(self) -> None:
        """Load and warm the service's own model; where it cannot be used, take the embedded fills instead.

        Raises:
            EngineUnavailable: it cannot be used and `strict` is set, its name is unknown, or the device cannot
                calculate in the precision that was asked for.
        """
        choice = self._choice
        try:
            if choice.name not in NAMES:
                raise EngineUnavailable(f"there is no model {choice.name}; there are {', '.join(NAMES)}")
            self.get(None)
        except EngineUnavailable as problem:
            if choice.strict or choice.name not in NAMES or isinstance(problem, PrecisionUnsupported):
                self._failed = True
                raise
            self.fallback = problem.detail
            self.name = AUTO
            log.warning("model %s cannot be used, the embedded fills stand in: %s", choice.name, problem.detail)
            self.get(None)
        self._begun.set_result(None)
        if choice.idle_unload_s:
            threading.Thread(target=self._watch, name="idle models", daemon=True).start()

    @property
    def started(self) -> bool:
        """Whether the service's own model was loaded, whatever has become of it."""
        return self._begun.done()

    @property
    def state(self) -> str:
        """The state of the service's own model: ready, loading, unloaded or error."""
        if not self.started:
            return "error" if self._failed else "loading"
        return self._own().status

    def get(self, name: str | None, device: Device | None = None) -> Model:
        """Return a model, loading it if need be.

        Raises:
            Invalid: there is no model of this name.
            EngineUnavailable: it cannot be used here.
        """
        model = self._model(name, device)
        model.warm_up()
        with self._lock:
            self._known.move_to_end((model.name, device or self._choice.device))
        self._let_go(but=model)
        return model

    def wanted(self, name: str | None) -> Future[None]:
        """Return what is done when the model can be had at once; see `get` for what is raised, here or there."""
        if name is None and not self.started:
            return self._begun
        return self._model(name).wanted()

    def ready(self, name: str | None) -> bool:
        """Say whether `get` would return at once."""
        known = self._known.get((name or self.name, self._choice.device))
        return self.started and known is not None and known.status == "ready"

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
        choice = self._choice
        with self._lock:
            loaded = [key[0] for key, model in self._known.items() if model.status == "ready"]
        return {
            "name": self.name,
            "device": self._own().device,
            "status": self.state,
            "parameters": {
                "requested": choice.name,
                "fallback_reason": self.fallback or None,
                "loaded": loaded,
                "copies": choice.copies,
                "threads": choice.threads,
                "precision": choice.economy.precision,
                "low_mem": choice.economy.low_mem,
                "cpu_offload": choice.economy.cpu_offload,
            },
        }

    def sweep(self) -> None:
        """Let go of every model that nobody has called for long."""
        for model in self._all():
            if model.name not in EMBEDDED:
                model.unload(self._choice.idle_unload_s)

    def close(self) -> None:
        """Let go of all models, each when its calls have ended."""
        self._closed.set()
        for model in self._all():
            model.close()

    def _watch(self) -> None:
        nap_s = min(self._choice.idle_unload_s / 4, LONGEST_NAP_S)
        while not self._closed.wait(nap_s):
            self.sweep()

    def _own(self) -> Model:
        return self._model(None)

    def _all(self) -> list[Model]:
        with self._lock:
            return list(self._known.values())

    def _model(self, name: str | None, device: Device | None = None) -> Model:
        name, device = name or self.name, device or self._choice.device
        key = (name, device)
        if key not in self._known:
            self.check(None if name == self.name else name)
        with self._lock:
            if key not in self._known:
                copies = 1 if name in EMBEDDED else self._choice.copies
                make = partial(self._load, name, device)
                self._known[key] = Model(name, device, make, copies, self._let_go, self._clock)
            return self._known[key]

    def _load(self, name: str, device: Device) -> Inpainter:
        choice = self._choice
        return self._loader(
            name,
            device=device,
            weights_dir=choice.folder,
            weights=self._weights(name),
            threads=choice.threads,
            economy=choice.economy,
        )

    def _weights(self, name: str) -> Path | None:
        return self._choice.weights if name == self._choice.name else None

    def _let_go(self, but: Model | None = None) -> None:
        """Let go of the models that were asked for longest ago and have no calls, until few enough are left."""
        own = (self.name, self._choice.device)
        with self._lock:
            spare = [model for key, model in self._known.items() if key != own and key[0] not in EMBEDDED]
        loaded = [model for model in spare if model.status == "ready"]
        excess = len(loaded) - self._choice.kept
        for model in loaded:
            if excess > 0 and model is not but and model.unload():
                excess -= 1
