"""A job's log as it is heard over connections that may drop: each event once, and none left out."""

from __future__ import annotations

import json
from typing import Any

from cleanplate.client.errors import ClientError, NotUnderstood, Unreachable
from cleanplate.client.flows import Call, Flow, Flows, Pause, path
from cleanplate.client.retries import Retries
from cleanplate.client.views import FINAL, Event


class Log:
    """What was heard of a job's log: where to go on, and whether that was all."""

    def __init__(self, flows: Flows, job_id: str, after: int, retries: int):
        self.over = False
        self._flows = flows
        self._job_id = job_id
        self._after = after
        self._retries = Retries(retries)
        self._heard = False
        self._rest = ""

    def call(self) -> Call:
        """Return the request for what is not known yet, as Server-Sent Events."""
        self._heard, self._rest = False, ""
        return Call("GET", path(self._job_id, "events"), headers={"Last-Event-ID": str(self._after)})

    def hear(self, piece: str) -> list[Event]:
        """Return the events that a piece of the stream completes. Raises NotUnderstood."""
        *messages, self._rest = (self._rest + piece).split("\n\n")
        events = [event for message in messages if (event := _event(message)) and event.seq > self._after]
        if events:
            self._after, self._heard = events[-1].seq, True
            self._retries.succeeded()
        return events

    def end(self, error: ClientError | None) -> Flow[None]:
        """Find out whether that was all, after a stream ended by itself or with an error; pause before another.

        Raises:
            ClientError: there will be no other.
        """
        if error is None:
            view = yield from self._flows.view(self._job_id)
            self.over = view["status"] in FINAL and view.get("seq", 0) <= self._after
            if self.over or self._heard:
                return
            error = Unreachable("the stream of events ends before the job does")
        yield Pause(self._retries.pause_s(error), error)


def _event(message: str) -> Event | None:
    told = "\n".join(line[5:] for line in message.split("\n") if line.startswith("data:"))
    if not told:
        return None
    try:
        body: dict[str, Any] = json.loads(told)
        return Event(body["job_id"], int(body["seq"]), body["type"], body["at"], body.get("data") or {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotUnderstood(f"an event is not understood: {type(error).__name__} {error}") from None
