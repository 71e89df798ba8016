"""What an engine gives: lines of text with their places, or a page as pieces of Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cleanplate.contract.geometry import Box, Polygon


@dataclass(frozen=True)
class Word:
    """A word inside a line, or a single character of a script without spaces."""

    polygon: Polygon
    text: str


@dataclass(frozen=True)
class Line:
    """One line of text.

    `polygon` has 4 or more corners in pixels of the picture that was read, clockwise from the corner that is the
    text's top left. `score` is the recognizer's confidence, 0 to 1. `text` is empty where something was found that
    could not be read. `upside_down` is None where nobody looked; the polygon is as found, whatever it says.
    """

    polygon: Polygon
    text: str
    score: float
    upside_down: bool | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A piece of a page in an engine's own Markdown, or a picture.

    `box` is in pixels of the page, None where the engine does not say. `label` is the engine's own name for it.
    """

    kind: Literal["markdown", "picture"]
    markdown: str = ""
    box: Box | None = None
    label: str = ""


@dataclass(frozen=True)
class PageText:
    """A page as an engine gives it that writes Markdown itself, and what is to be said about it."""

    pieces: tuple[Piece, ...]
    warnings: tuple[str, ...] = ()
