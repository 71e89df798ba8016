"""Structured logs: one JSON object a line, with the request's and the job's id."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar

from cleanplate.runtime.jobs import iso

request_id: ContextVar[str] = ContextVar("request_id", default="")
traceparent: ContextVar[str] = ContextVar("traceparent", default="")

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """Formats a record, its `extra` fields and its traceback as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {"at": iso(record.created), "level": record.levelname, "logger": record.name}
        entry |= {"message": record.getMessage(), "request_id": request_id.get()}
        entry |= {"trace_id": traceparent.get()[3:35]}
        entry |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in entry.items() if value not in (None, "")}, default=str)


def configure(level: str) -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("uvicorn.access", "websockets", "PIL", "multipart", "python_multipart"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
