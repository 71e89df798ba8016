"""Keeping a model's weights in main memory and lending them to the device for the time of a call. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol


class Module(Protocol):
    """A part of a model that can be moved, as torch's modules can."""

    def to(self, device: str) -> object:
        """Move its weights."""


class Offload:
    """The parts of one model and the device that they work on.

    Args:
        modules: the parts; none where nothing is to be moved.
        device: where they work.
    """

    def __init__(self, modules: Sequence[Module], device: str) -> None:
        self._modules = modules
        self._device = device
        self._home()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Have the parts on the device; they come back whatever happens there."""
        try:
            for module in self._modules:
                module.to(self._device)
            yield
        finally:
            self._home()

    def _home(self) -> None:
        for module in self._modules:
            module.to("cpu")
