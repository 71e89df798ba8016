"""What the figures of a bench should be, and whether they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WHAT = 84


@dataclass(frozen=True)
class Target:
    """A figure and its bound, which it should not be past: `least` from below, else from above."""

    what: str
    figure: float
    bound: float
    least: bool = False

    def __str__(self) -> str:
        met = self.figure >= self.bound if self.least else self.figure <= self.bound
        bound = f"{'>=' if self.least else '<='} {self.bound:g}"
        return f"{self.what:<{WHAT}} {bound:>8} {self.figure:9.3f}  {'yes' if met else 'NO'}"


def print_table(found: Iterable[Target]) -> None:
    print(f"\n{'what':<{WHAT}} {'target':>8} {'figure':>9}  met")
    for target in found:
        print(target)
