"""Chat completions as bytes: in whatever pieces they come, and where they are none."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanplate.contract.problems import BadUpstream, UpstreamFailed
from ocr_service.vision.streams import Answer, Events, whole


def event(text: str | None = None, finish: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    return b"data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


STREAM = b": comment\n\n" + event("Grüße, ") + event("世界") + event(finish="stop") + b"data: [DONE]\n\n"


def fed(*chunks: bytes) -> Answer:
    events = Events()
    for chunk in chunks:
        events.feed(chunk)
    return events.answer()


def body(message: Any, **more: Any) -> bytes:
    return json.dumps({"choices": [{"message": message, **more}]}).encode()


def test_an_event_that_does_not_end_is_refused_before_all_of_the_answer_is_there() -> None:
    with pytest.raises(BadUpstream, match="an event of more than 1000000 bytes"):
        fed(b"data: ", *[b"x" * 1000] * 1000)
    assert fed(event("x" * 900_000), event(finish="stop")).text == "x" * 900_000


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_is_the_same_in_whatever_pieces_it_comes(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(places)]
    assert fed(*chunks) == Answer("Grüße, 世界", "stop")


def test_a_stream_may_end_lines_as_windows_does() -> None:
    assert fed(STREAM.replace(b"\n", b"\r\n")).text == "Grüße, 世界"


def test_a_stream_that_says_why_it_ends_needs_no_mark() -> None:
    assert fed(event("a"), event(finish="length")) == Answer("a", "length")


def test_a_character_may_come_in_two_halves() -> None:
    halves = [b'data: {"choices": [{"delta": {"content": "\\u%s"}}]}\n' % half for half in (b"d83d", b"de00")]
    assert fed(*halves, b"data: [DONE]\n").text == "\U0001f600"


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    with pytest.raises(UpstreamFailed, match="broke off"):
        fed(event("half"))
    with pytest.raises(UpstreamFailed, match="broke off"):
        fed()


def test_an_error_within_a_stream_is_no_answer() -> None:
    with pytest.raises(UpstreamFailed, match="error"):
        fed(event("half"), b'data: {"error": {"message": "out of memory"}}\n')


def test_a_whole_answer_may_come_in_parts() -> None:
    assert whole(body({"content": "a"}, finish_reason="stop")) == Answer("a", "stop")
    assert whole(body({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})).text == "ab"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>busy</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [null]}',
        b'{"choices": [{"message": "text"}]}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b'{"choices": {"0": {}}}',
        b"\xff\xfe\x00",
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_chat_completion_is_refused(data: bytes) -> None:
    with pytest.raises(BadUpstream):
        whole(data)


def test_a_model_that_refuses_is_not_believed_to_have_read() -> None:
    with pytest.raises(BadUpstream, match="refuses"):
        whole(body({"refusal": "I cannot help with that", "content": None}))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_refused(data: bytes) -> None:
    for take in (whole, lambda data: fed(data, event(finish="stop"))):
        with suppress(UpstreamFailed):
            assert isinstance(take(data).text, str)
