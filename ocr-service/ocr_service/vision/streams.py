"""The bytes of a chat completion, streamed as events or whole → its text and why it ended. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cleanplate.contract.problems import BadUpstream, UpstreamFailed

LIMIT_BYTES = 16_000_000  # an event of some 300 bytes for each token
EVENT_BYTES = 1_000_000


@dataclass(frozen=True)
class Answer:
    """What the model said. `finish` is why it stopped: "stop", "length", …; empty where nobody says."""

    text: str
    finish: str = ""


class Events:
    """Server-Sent Events as they arrive."""

    def __init__(self) -> None:
        self._rest = b""
        self._texts: list[str] = []
        self._finish = ""
        self._ended = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises BadUpstream, UpstreamFailed."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > EVENT_BYTES:  # to join it anew with each chunk would hold up everybody
            raise BadUpstream(f"the endpoint sent an event of more than {EVENT_BYTES} bytes")
        for line in lines:
            name, _, data = line.strip().partition(b":")
            if name == b"data" and not self._ended:
                self._take(data.strip())

    def answer(self) -> Answer:
        """Return the whole text when no more bytes come. Raises UpstreamFailed: the stream broke off."""
        self.feed(b"\n")
        if not self._ended and not self._finish:
            raise UpstreamFailed("the endpoint's answer broke off")
        return Answer(well_formed("".join(self._texts)), self._finish)

    def _take(self, data: bytes) -> None:
        if data == b"[DONE]":
            self._ended = True
            return
        text, finish = _choice(_parsed(data), "delta")
        self._texts.append(text)
        self._finish = finish or self._finish


def whole(body: bytes) -> Answer:
    """Return the answer of a body that was not streamed. Raises BadUpstream, UpstreamFailed."""
    text, finish = _choice(_parsed(body), "message")
    return Answer(well_formed(text), finish)


def well_formed(text: str) -> str:
    """Return text that UTF-8 can hold: JSON may have, or streaming may make, halves of a character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise BadUpstream("the endpoint did not answer as OpenAI's API does")
    if given.get("error"):
        raise UpstreamFailed("the endpoint broke off with an error")
    return given


def _choice(given: dict[str, Any], member: str) -> tuple[str, str]:
    """Return the text of the first choice and its finish reason; an event without choices tells of usage only."""
    choices = given.get("choices")
    if choices == [] and member == "delta":
        return "", ""
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get(member) if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise BadUpstream("the endpoint did not answer as OpenAI's API does")
    if message.get("refusal"):
        raise BadUpstream("the model refuses to read the picture")
    finish = choice.get("finish_reason")
    return _text(message.get("content")), finish if isinstance(finish, str) else ""


def _text(content: Any) -> str:
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    if content is None or isinstance(content, str):
        return content or ""
    raise BadUpstream("the endpoint did not answer as OpenAI's API does")
