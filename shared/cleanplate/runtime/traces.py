"""Traces: spans of what a request and its job cause, for an OpenTelemetry collector where a setting names one.

The span that another is made in is known by `logs.traceparent`, which comes with a request, is kept with its job and
goes out with calls; so a log line has the id of its trace. What records them is in `collector`; without it a span is a
name that nobody hears.

Attributes hold what a service knows itself, as route templates, page numbers and codes: nothing that a client sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

from cleanplate.contract.problems import Problem

Kind = Literal["internal", "server", "client", "consumer"]
Value = str | int | float | bool

ERROR = "error.type"
"""The attribute that says that a span failed, and with which code."""


@dataclass
class Span:
    """A span in the making: its name and attributes may be set until its end."""

    name: str
    attributes: dict[str, Value]


class Recorder(Protocol):
    """What spans are told to."""

    def recorded(self, span: Span, kind: Kind) -> AbstractContextManager[None]:
        """Record the span while open, and have it be the one that others are made in."""

    def close(self) -> None:
        """Let go of it; what was recorded is sent first, if that takes no longer than a few seconds. Blocking."""


_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


def use(recorder: Recorder | None) -> None:
    """Tell the spans of this task, and of what it begins, to this recorder; None: to nobody."""
    _recorder.set(recorder)


@asynccontextmanager
async def told_to(recorder: Recorder | None) -> AsyncIterator[None]:
    """Have the spans of what is begun meanwhile recorded, and close the recorder at the end."""
    use(recorder)
    try:
        yield
    finally:
        if recorder is not None:
            await asyncio.to_thread(recorder.close)


@contextmanager
def span(
    name: str, attributes: Mapping[str, Value] = MappingProxyType({}), *, kind: Kind = "internal"
) -> Iterator[Span]:
    """Record what is done meanwhile; an exception that goes through makes it a failure."""
    made, recorder = Span(name, dict(attributes)), _recorder.get()
    if recorder is None:
        yield made
        return
    with recorder.recorded(made, kind):
        try:
            yield made
        except Exception as error:
            made.attributes.setdefault(ERROR, error.code if isinstance(error, Problem) else type(error).__name__)
            raise
