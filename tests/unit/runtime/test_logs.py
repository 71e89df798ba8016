"""One line of JSON for each record, whatever is in it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from cleanplate.runtime import logs


def line(message: str, *values: object, exc_info: Any = None, **extra: object) -> dict[str, Any]:
    logger = logging.getLogger("cleanplate.test")
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 1, message, values, exc_info, extra=extra)
    text = logs.JsonLines().format(record)
    assert len(text.splitlines()) == 1
    assert text.isascii()
    parsed: dict[str, Any] = json.loads(text)
    return parsed


@pytest.fixture(autouse=True)
def _request() -> Iterator[None]:
    one, two = logs.request_id.set("r1"), logs.traceparent.set(f"00-{'a' * 32}-{'b' * 16}-01")
    yield
    logs.request_id.reset(one)
    logs.traceparent.reset(two)


def test_a_line_tells_when_what_and_for_which_request() -> None:
    entry = line("%d jobs", 3, job_id="j1")
    at = entry.pop("at")
    assert at.endswith("Z")
    assert entry == {
        "level": "INFO", "logger": "cleanplate.test", "message": "3 jobs", "request_id": "r1", "trace_id": "a" * 32,
        "job_id": "j1",
    }  # fmt: skip


def test_no_message_can_begin_a_line_of_its_own() -> None:
    forged = 'x\n{"level": "ERROR"}\r\u2028\x1b[31m\ud800'
    entry = line("%s", forged, name_given=forged)
    assert (entry["message"], entry["name_given"]) == (forged, forged)


def test_a_traceback_stays_on_its_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        entry = line("failed", exc_info=sys.exc_info())
    assert "ValueError: first\nsecond" in entry["traceback"]


def test_what_json_does_not_know_is_shown_as_text() -> None:
    assert line("x", where={1}, kind=ValueError)["kind"] == "<class 'ValueError'>"


def test_what_is_empty_or_the_servers_ornament_is_left_out() -> None:
    assert not {"job_id", "color_message", "taskName"} & set(line("x", job_id=None, color_message="\x1b"))


def test_configuring_sends_everything_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        for handler in before:
            root.removeHandler(handler)
        logs.configure("warning")
        logging.getLogger("cleanplate.test").info("quiet")
        logging.getLogger("cleanplate.test").warning("loud")
        logging.getLogger("uvicorn.access").info("quiet")
        written = capsys.readouterr()
        assert (written.out, json.loads(written.err)["message"]) == ("", "loud")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
