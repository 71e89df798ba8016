"""What an engine does.

Two things it may be besides, independent of each other: one that gives a page's Markdown itself (`page`, and "markdown"
in what it can), and one that is asked over the network (`RemoteEngine`): it has no thread and is awaited, with several
calls in flight.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ocr_service.engines.lines import Line, PageText
from ocr_service.engines.options import ReadOptions


class TextEngine(Protocol):
    """Finds and reads lines of text. An instance takes one call at a time; several may run in several threads."""

    name: str
    model: str
    calls_at_once: int

    def warm_up(self) -> None:
        """Make the first real call as fast as the later ones."""

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        """Read a picture.

        Args:
            rgb: (H, W, 3) uint8, RGB, at least 32 pixels high and wide.
            options: how.

        Returns:
            The lines in the order in which PaddleOCR lists them.

        Raises:
            Invalid: an option that this engine does not have.
        """

    def close(self) -> None:
        """Give the memory back; the engine is not used afterwards."""


class PageEngine(TextEngine, Protocol):
    """A `TextEngine` that also gives a page's Markdown."""

    def page(self, rgb: NDArray[np.uint8], options: ReadOptions) -> PageText:
        """Read a page, (H, W, 3) uint8 RGB; see `TextEngine.read`."""


@runtime_checkable
class RemoteEngine(Protocol):
    """An engine somewhere else. It is awaited, so it needs no thread; `calls_at_once` calls may be in flight."""

    name: str
    model: str
    calls_at_once: int

    async def lines(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        """Read a picture, (H, W, 3) uint8 RGB of any size; see `TextEngine.read`.

        Raises:
            Invalid: an option that this engine does not have.
            UpstreamFailed: and its subclasses, what asking it raises.
            TimedOut: it was too slow.
        """

    async def page(self, rgb: NDArray[np.uint8], options: ReadOptions) -> PageText:
        """Read a page; raises the same."""

    async def aclose(self) -> None:
        """Hang up."""


@runtime_checkable
class Describer(Protocol):
    """An engine that can say what a picture shows."""

    async def describe(self, rgb: NDArray[np.uint8]) -> str:
        """Say it in one line, of a picture, (H, W, 3) uint8 RGB; raises what `RemoteEngine.lines` does."""
