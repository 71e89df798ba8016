"""What is known of an OpenAI-compatible endpoint. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from pydantic import SecretStr

ImageFormat = Literal["jpeg", "png", "webp"]


@dataclass(frozen=True)
class Endpoint:
    """An endpoint, and how it is asked; the operator's, so its address is not filtered.

    Attributes:
        url: before `/chat/completions`; empty where none is set.
        at_once: requests that may be in flight.
        timeout_s: of one try, from its begin to the end of the answer.
        idle_s: how long a stream may be silent once it has begun.
        retries: further tries after a failure that may pass.
        max_side: pages are scaled down to it, in pixels.
        prompt: for a page; empty: the engine's own.
        extra: members of the body, over ours; None leaves a member out.
    """

    url: str = ""
    key: SecretStr = field(default_factory=lambda: SecretStr(""))
    model: str = ""
    at_once: int = 4
    timeout_s: float = 90.0
    idle_s: float = 30.0
    retries: int = 3
    max_tokens: int = 8192
    stream: bool = True
    image_format: ImageFormat = "jpeg"
    max_side: int = 2048
    prompt: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
