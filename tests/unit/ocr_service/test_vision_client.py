"""The client against a server that limits, fails, lies, hangs up and falls silent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from cleanplate.contract.problems import BadUpstream, TimedOut, UpstreamFailed, UpstreamRefused
from cleanplate.runtime.web import answer
from ocr_service.vision.client import LONGEST_PAUSE_S, Client
from ocr_service.vision.endpoints import Endpoint
from ocr_service.vision.streams import Answer
from tests.fakes import vision
from tests.fakes.vision import KEY, Reply, Vision, answers, raw, says

PAGE = np.full((40, 60, 3), 255, np.uint8)


@pytest.fixture(scope="module")
def server() -> Iterator[Vision]:
    server = Vision()
    server.start()
    yield server
    server.stop()


async def asked(server: Vision, *replies: Reply, **more: Any) -> tuple[Answer, list[float]]:
    """Ask once, and return the answer and for how long it was waited between the tries."""
    server.does(*replies)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    client = Client(Endpoint(**{"url": server.url, "key": SecretStr(KEY), "model": "eye", **more}), sleep)
    try:
        return await client.ask("What is this?", PAGE), pauses
    finally:
        await client.close()


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_comes_streamed_or_whole(server: Vision, stream: bool) -> None:
    answer, pauses = await asked(server, says("# Page"), stream=stream)
    assert (answer, pauses) == (Answer("# Page", "stop"), [])


async def test_the_picture_the_question_and_the_key_are_sent(server: Vision) -> None:
    await asked(server, says("a"), image_format="png", extra={"temperature": None, "top_p": 0.5})
    (body,) = server.asked
    assert (body["model"], body["top_p"], "temperature" in body) == ("eye", 0.5, False)
    assert server.keys == [f"Bearer {KEY}"]
    assert server.prompts() == ["What is this?"]
    assert (server.pictures()[0] == PAGE).all()


async def test_no_key_is_sent_where_there_is_none(server: Vision) -> None:
    await asked(server, says("a"), key=SecretStr(""))
    assert server.keys == [""]


async def test_large_pages_are_sent_smaller(server: Vision) -> None:
    await asked(server, says("a"), max_side=32)
    assert server.pictures()[0].shape[1] == 32


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
async def test_what_may_pass_is_tried_again(server: Vision, status: int) -> None:
    answer, pauses = await asked(server, answers(status), answers(status), says("a"))
    assert answer.text == "a"
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1


@pytest.mark.parametrize("reply", [vision.breaks_off, vision.hangs_up, raw(b'data: {"error": {"message": "full"}}\n')])
async def test_an_answer_that_breaks_off_is_asked_for_again(server: Vision, reply: Reply) -> None:
    answer, _ = await asked(server, reply, says("a"))
    assert answer.text == "a"


async def test_a_stream_that_falls_silent_is_given_up(server: Vision) -> None:
    answer, _ = await asked(server, vision.falls_silent, says("a"), idle_s=0.05)
    assert answer.text == "a"
    with pytest.raises(TimedOut):
        await asked(server, vision.falls_silent, retries=1, idle_s=0.05)
    assert len(server.asked) == 2


async def test_a_try_takes_no_longer_than_it_may(server: Vision) -> None:
    with pytest.raises(TimedOut):
        await asked(server, vision.falls_silent, retries=0, timeout_s=0.05)


async def test_retry_after_is_heeded(server: Vision) -> None:
    _, pauses = await asked(server, answers(429, Retry_After="7"), says("a"))
    assert pauses == [7]
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    _, (pause,) = await asked(server, answers(503, Retry_After=soon), says("a"))
    assert 15 < pause <= 20
    _, (pause,) = await asked(server, answers(429, Retry_After="later"), says("a"))
    assert pause <= 0.5


async def test_nobody_waits_for_longer_than_makes_sense(server: Vision) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        await asked(server, answers(429, Retry_After="3600"))
    assert caught.value.retry_after_s == 3600 > LONGEST_PAUSE_S
    assert len(server.asked) == 1


async def test_however_long_it_is_what_is_passed_on_is_a_number_of_seconds(server: Vision) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        await asked(server, answers(429, Retry_After="9" * 400))
    assert answer(caught.value).headers["retry-after"] == "86400"


async def test_tries_come_to_an_end(server: Vision) -> None:
    with pytest.raises(UpstreamFailed, match="503"):
        await asked(server, answers(503), retries=2)
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_is_not_asked_again(server: Vision, status: int) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        await asked(server, answers(status))
    assert len(server.asked) == 1
    assert not caught.value.retryable


async def test_a_quota_that_is_used_up_is_not_waited_for(server: Vision) -> None:
    with pytest.raises(UpstreamRefused, match="quota"):
        await asked(server, answers(429, {"error": {"code": "insufficient_quota", "message": "pay"}}))


async def test_a_redirect_is_not_followed(server: Vision) -> None:
    with pytest.raises(UpstreamRefused, match="redirects"):
        await asked(server, answers(307, Location=f"{server.url.removesuffix('/v1')}/elsewhere"), says("a"))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        raw(b"<html>busy</html>", "text/html"),
        raw(b"data: {nonsense\n\n"),
        raw(b'{"a":' * 100_000, "application/json"),
        raw(b""),
    ],
    ids=["html", "garbage", "deep", "nothing"],
)
async def test_an_answer_that_makes_no_sense_is_refused(server: Vision, reply: Reply) -> None:
    with pytest.raises(UpstreamFailed):
        await asked(server, reply, retries=0)


async def test_an_answer_without_an_end_is_refused(server: Vision, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocr_service.vision.client.LIMIT_BYTES", 3_000_000)
    with pytest.raises(BadUpstream, match="3000000 bytes"):
        await asked(server, vision.pours)


async def test_a_server_that_is_not_there_is_a_clear_problem() -> None:
    client = Client(Endpoint(url="http://127.0.0.1:9", model="eye", retries=0))
    with pytest.raises(UpstreamFailed, match="reached"):
        await client.ask("What is this?", PAGE)
    await client.close()


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_the_key_is_told_to_nobody(server: Vision, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(UpstreamFailed) as caught:
        await asked(server, answers(status), retries=0)
    assert "no: ***" in caplog.text
    assert KEY not in caplog.text + str(caught.value.body()) + repr(Endpoint(key=SecretStr(KEY)))
