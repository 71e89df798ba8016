"""OcrPlus's wire: a user's WebSocket, and what it is told after it was away."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ocr_service.app import make_app
from tests.wires import dark, pictures
from tests.wires.conftest import Ocr, ServeOcr
from tests.wires.serving import PATIENCE_S, Live, Talk

TWO_PAGES = pictures.text(dark.pdf(2))
BLANK = pictures.text(dark.pdf(2, blank=1))
MARKDOWN = [{"page": 1, "markdown": "EXIT\n"}, {"page": 2, "markdown": "EXIT\n"}]


@pytest.fixture(scope="module")
def ocr(serve_ocr: ServeOcr) -> Ocr:
    return serve_ocr(dark.Stumbler(), max_pages=3)


def _order(talk: Talk, task_id: str, pdf_file: str = TWO_PAGES) -> None:
    talk.say(task_id=task_id, pdf_file=pdf_file)


def _submitted(task_id: str) -> dict[str, Any]:
    return {"task_id": task_id, "status": "submitted"}


def _result(talk: Talk, task_id: str) -> list[dict[str, Any]]:
    """Return the pages of the next message, which must be this task's result."""
    message = talk.hear()
    assert message.keys() == {"task_id", "result"}
    assert message["task_id"] == task_id
    assert message["result"].keys() == {"filename", "elapsed_time", "markdown"}
    assert message["result"]["filename"] == f"{task_id}.pdf"
    assert re.fullmatch(r"\d+\.\d\ds", message["result"]["elapsed_time"])
    pages: list[dict[str, Any]] = message["result"]["markdown"]
    return pages


def _nothing_waits(talk: Talk) -> None:
    """Check that the next message answers a bad order; so none was before it, and those before are kept as told."""
    talk.connection.send("{")
    assert talk.hear()["error"] == "send a JSON object with task_id and pdf_file"


def test_a_pdf_is_taken_and_answered_page_by_page(ocr: Ocr) -> None:
    with ocr.socket("/ws/ann") as talk:
        _order(talk, "task-001")
        assert talk.hear() == _submitted("task-001")
        assert _result(talk, "task-001") == MARKDOWN


def test_who_was_away_is_told_what_was_missed_and_nothing_twice(slow: Ocr, reader: dark.GatedReader) -> None:
    with slow.socket("/ws/ann") as talk:
        _order(talk, "first")
        assert talk.hear() == _submitted("first")
        reader.let(2)
        assert _result(talk, "first") == MARKDOWN
        _order(talk, "second")
        assert talk.hear() == _submitted("second")
        _nothing_waits(talk)
    reader.let(2)
    with slow.socket("/ws/ann") as talk:
        assert _result(talk, "second") == MARKDOWN
        _order(talk, "third")
        assert talk.hear() == _submitted("third")
        reader.let(2)
        assert _result(talk, "third") == MARKDOWN
        _nothing_waits(talk)
    with slow.socket("/ws/ann") as talk:
        _nothing_waits(talk)


def test_what_was_missed_is_told_after_a_restart(serve_ocr: ServeOcr, reader: dark.GatedReader) -> None:
    live = serve_ocr(reader, slots=1, lease_s=1)
    with live.socket("/ws/ann") as talk:
        _order(talk, "first")
        assert talk.hear() == _submitted("first")
        reader.let(2)
        _result(talk, "first")
        _order(talk, "second")
        assert talk.hear() == _submitted("second")
        _nothing_waits(talk)
    reader.let(100)
    again = Live(make_app(live.settings, lambda *_, **__: dark.DarkReader()), live.settings)
    again.start()
    try:
        with again.socket("/ws/ann") as talk:
            assert _result(talk, "second") == MARKDOWN
    finally:
        again.stop()


def test_two_connections_of_a_user_are_told_the_same(ocr: Ocr) -> None:
    with ocr.socket("/ws/twice") as first, ocr.socket("/ws/twice") as second:
        _order(first, "a")
        for talk in (first, second):
            assert talk.hear() == _submitted("a")
            assert _result(talk, "a") == MARKDOWN


def test_users_do_not_hear_of_each_other(ocr: Ocr) -> None:
    with ocr.socket("/ws/bob") as bob, ocr.socket("/ws/carol") as carol:
        _order(bob, "same")
        _order(carol, "same", BLANK)
        assert [bob.hear(), carol.hear()] == [_submitted("same")] * 2
        assert _result(bob, "same") == MARKDOWN
        note = {"page": 2, "markdown": "<!-- page 2 could not be read: nothing is on it -->\n"}
        assert _result(carol, "same") == [MARKDOWN[0], note]
        _nothing_waits(bob)


def test_a_repeated_order_is_the_first_one(ocr: Ocr) -> None:
    with ocr.socket("/ws/dan") as talk:
        _order(talk, "a")
        assert talk.hear() == _submitted("a")
        assert _result(talk, "a") == MARKDOWN
        _order(talk, "a")
        assert talk.hear() == _submitted("a")
        assert _result(talk, "a") == MARKDOWN
        _order(talk, "a", BLANK)
        refused = talk.hear()
        assert refused.keys() == {"task_id", "status", "error"}
        assert (refused["task_id"], refused["status"]) == ("a", "failed")


def test_a_document_that_cannot_be_read_has_failed(ocr: Ocr) -> None:
    with ocr.socket("/ws/eve") as talk:
        _order(talk, "a", pictures.text(dark.pdf(1, blank=1)))
        assert talk.hear() == _submitted("a")
        assert talk.hear() == {
            "task_id": "a",
            "status": "failed",
            "error": "no page could be read; page 1: nothing is on it",
        }


def test_a_large_document_fits_into_a_message(ocr: Ocr) -> None:
    large = dark.pdf(1, noise_px=1800)
    assert len(large) > 1_500_000
    with ocr.socket("/ws/fay") as talk:
        _order(talk, "a", pictures.text(large))
        assert talk.hear() == _submitted("a")
        assert _result(talk, "a")[0]["page"] == 1


BAD: dict[str, tuple[str | bytes, str | None, str]] = {
    "no JSON": ("{", None, "send a JSON object"),
    "no object": ("[1]", None, "send a JSON object"),
    "too deep": ("[" * 30_000, None, "send a JSON object"),
    "bytes": (b"{}", None, "send text, not bytes"),
    "nothing in it": ("{}", None, "task_id: "),
    "no id": (json.dumps({"pdf_file": TWO_PAGES}), None, "task_id: "),
    "a number for an id": (json.dumps({"task_id": 5, "pdf_file": TWO_PAGES}), None, "task_id: "),
    "a long id": (json.dumps({"task_id": "a" * 201, "pdf_file": TWO_PAGES}), None, "task_id: "),
    "half a character": ('{"task_id": "\\ud800", "pdf_file": "x"}', None, "task_id: "),
    "no file": ('{"task_id": "x"}', "x", "pdf_file: "),
    "a number for a file": ('{"task_id": "x", "pdf_file": 5}', "x", "pdf_file: "),
    "an empty file": ('{"task_id": "x", "pdf_file": ""}', "x", "pdf_file: "),
    "no base64": ('{"task_id": "x", "pdf_file": "hello!"}', "x", "pdf_file: "),
    "a picture": (json.dumps({"task_id": "x", "pdf_file": pictures.text(dark.SIGN)}), "x", "pdf_file: is no PDF"),
    "half a PDF": (json.dumps({"task_id": "x", "pdf_file": TWO_PAGES[:100]}), "x", "pdf_file: "),
    "too many pages": (json.dumps({"task_id": "x", "pdf_file": pictures.text(dark.pdf(4))}), "x", "pdf_file: 4 pages"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_order_is_answered_and_ends_nothing(ocr: Ocr, case: str) -> None:
    sent, task_id, error = BAD[case]
    with ocr.socket("/ws/gus") as talk:
        talk.connection.send(sent)
        told = talk.hear()
        assert told == {"task_id": task_id, "status": "failed", "error": told["error"]}
        assert told["error"].startswith(error)
        _nothing_waits(talk)


def test_a_message_over_the_limit_ends_the_connection(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(max_file_size=1000)
    with live.socket("/ws/ann") as talk:
        talk.connection.send("a" * (live.settings.message_limit() + 1))
        with pytest.raises(ConnectionClosed) as caught:
            talk.connection.recv(timeout=PATIENCE_S)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009
    with live.socket("/ws/ann") as talk:
        _nothing_waits(talk)


@pytest.mark.parametrize("start", [b"\x81", b"\x81\xff\0\0\0\0\x02\0\0\0abcd" + b"a" * 100_000, b"\x01\x83abcdaaa"])
def test_half_a_message_holds_up_nobody(ocr: Ocr, start: bytes) -> None:
    with ocr.socket("/ws/hal") as half:
        half.connection.socket.sendall(start)
        with ocr.socket("/ws/hal") as talk:
            _nothing_waits(talk)
        half.connection.socket.shutdown(socket.SHUT_RDWR)
    with ocr.socket("/ws/hal") as talk:
        _nothing_waits(talk)


@pytest.mark.parametrize("path", ["/ws", "/ws/ann", "/any/ws", "/any/ws/ann"])
def test_a_stranger_s_web_page_is_refused(ocr: Ocr, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught, ocr.socket(path, origin="https://stranger.example"):
        pass
    assert caught.value.response.status_code == 403


def test_a_user_s_name_has_a_limit(ocr: Ocr) -> None:
    with pytest.raises(InvalidStatus) as caught, ocr.socket("/ws/" + "a" * 201):
        pass
    assert caught.value.response.status_code == 403


def test_a_full_queue_is_told(serve_ocr: ServeOcr, reader: dark.GatedReader) -> None:
    live = serve_ocr(reader, slots=1, queue_limit=1)
    with live.socket("/ws/ann") as talk:
        _order(talk, "a")
        reader.begun()
        _order(talk, "b")
        _order(talk, "c")
        told = [talk.hear() for _ in range(3)]
        assert sorted(told, key=lambda message: str(message["task_id"])) == [
            _submitted("a"), _submitted("b"), {"task_id": "c", "status": "failed", "error": "1 jobs wait already"},
        ]  # fmt: skip
        reader.let(100)


def test_a_key_is_needed_where_there_are_keys(serve_ocr: ServeOcr) -> None:
    locked = serve_ocr(api_keys="ann's, bob's")
    for path in ("/ws/user", "/eve's/ws/user"):
        with pytest.raises(InvalidStatus) as caught, locked.socket(path):
            pass
        assert caught.value.response.status_code == 401
    with locked.socket("/ann's/ws/user") as ann, locked.socket("/bob's/ws/user") as bob:
        _order(ann, "a")
        assert ann.hear() == _submitted("a")
        assert _result(ann, "a") == MARKDOWN
        _nothing_waits(bob)
    with locked.socket("/ws/user", additional_headers={"Authorization": "Bearer ann's"}) as talk:
        _nothing_waits(talk)
