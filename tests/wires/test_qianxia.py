"""Qianxia's wire: tasks over REST, and what the WebSocket tells of them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from tests.wires import dark, pictures
from tests.wires.conftest import Ocr, ServeOcr

MARKDOWN = "EXIT\n"
PAGE = {"status": "completed", "content": MARKDOWN, "content_length": 5, "error_message": None}
TASK_FIELDS = {
    "id", "task_id", "task_type", "status", "file_name", "file_size", "total_pages", "processed_pages", "failed_pages",
    "progress", "processing_rate", "estimated_time_remaining", "created_at", "started_at", "completed_at",
    "error_message",
}  # fmt: skip
ENDS = ("task_completed", "task_failed", "task_cancelled")


@pytest.fixture(scope="module")
def ocr(serve_ocr: ServeOcr) -> Ocr:
    return serve_ocr(dark.Stumbler(), max_pages=5)


def _send(live: Ocr, kind: str, data: bytes, key: str = "") -> httpx.Response:
    return live.post(f"{key}/api/async/{kind}", files={"file": (f"a.{kind}", data)})


def _submit(live: Ocr, kind: str, data: bytes, key: str = "") -> str:
    answer = _send(live, kind, data, key)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


def _told(live: Ocr, path: str) -> Any:
    answer = live.get(path)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"status", "data"}
    assert body["status"] == "success"
    return body["data"]


def _ended(live: Ocr, task: str, key: str = "") -> list[dict[str, Any]]:
    with live.socket(f"{key}/ws") as talk:
        assert talk.hear()["type"] == "connection_established"
        talk.say(type="subscribe", task_id=task)
        return talk.hear_until(*ENDS)


def _untimed(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message without what no two runs share, which must be there and of its kind."""
    kept = dict(message)
    assert datetime.fromisoformat(kept.pop("timestamp")).utcoffset() is not None
    kept.pop("seq", None)
    if "data" in kept:
        kept["data"] = dict(kept["data"])
        for name in ("processing_time", "estimated_time_remaining", "processing_rate"):
            if (value := kept["data"].pop(name, None)) is not None:
                assert value >= 0
    return kept


def _error(answer: httpx.Response, *statuses: int) -> str:
    body = answer.json()
    assert answer.status_code in statuses, (answer.status_code, body)
    assert body.keys() == {"status", "message", "detail"}
    assert body["status"] == "error"
    assert body["message"] == body["detail"] != ""
    return str(body["message"])


def test_a_picture_is_taken_as_a_task(ocr: Ocr) -> None:
    body = _send(ocr, "image", dark.SIGN).json()
    task = body.pop("task_id")
    assert body.pop("estimated_time") >= 1
    path = f"/api/tasks/{task}"
    assert body == {
        "status": "success",
        "message": "image task submitted",
        "endpoints": {"status": path, "result": f"{path}/result", "cancel": path, "websocket": "/ws"},
    }


def test_a_pdf_is_told_how_many_pages_it_has(ocr: Ocr) -> None:
    body = _send(ocr, "pdf", dark.pdf(3)).json()
    assert body.keys() == {
        "status", "task_id", "message", "total_pages", "file_size_mb", "estimated_time", "endpoints",
    }  # fmt: skip
    assert (body["total_pages"], body["message"]) == (3, "pdf task submitted")
    assert float(body["file_size_mb"]) < 1


def test_a_task_its_pages_and_its_result(ocr: Ocr) -> None:
    task = _submit(ocr, "pdf", dark.pdf(3, blank=1))
    _ended(ocr, task)
    row = _told(ocr, f"/api/tasks/{task}")
    assert row.keys() == TASK_FIELDS
    assert (row["id"], row["task_id"], row["task_type"]) == (task, task, "pdf_ocr")
    assert (row["status"], row["progress"], row["file_name"]) == ("completed", 100, "a.pdf")
    assert (row["total_pages"], row["processed_pages"], row["failed_pages"]) == (3, 3, 1)
    assert (row["error_message"], row["file_size"]) == (None, len(dark.pdf(3, blank=1)))

    pages = _told(ocr, f"/api/tasks/{task}/pages")
    assert pages.keys() == {"task_id", "pages", "total_pages", "page_statistics"}
    assert [(page["page_number"], page["status"]) for page in pages["pages"]] == [
        (1, "completed"), (2, "completed"), (3, "failed"),
    ]  # fmt: skip
    assert (pages["pages"][2]["error_message"], pages["pages"][2]["content"]) == ("nothing is on it", "")
    figures = pages["page_statistics"]
    assert figures.pop("average_processing_time") >= 0
    assert figures.pop("success_rate") == pytest.approx(200 / 3)
    assert figures == {
        "total_pages": 3, "completed_pages": 2, "failed_pages": 1, "pending_pages": 0, "processing_pages": 0,
        "total_content_length": 10,
    }  # fmt: skip

    one = _told(ocr, f"/api/tasks/{task}/pages/2")
    assert one["page_result"].pop("processing_time") >= 0
    assert one == {"task_id": task, "page_number": 2, "page_result": {"page_number": 2, **PAGE}}

    result = _told(ocr, f"/api/tasks/{task}/result")
    assert result.keys() == {
        "task_id", "status", "progress", "created_at", "completed_at", "error_message", "file_size_mb", "content",
        "page_results",
    }  # fmt: skip
    assert result["content"] == "EXIT\n\nEXIT"
    assert result["page_results"] == pages["pages"]

    detail = _told(ocr, f"/api/tasks/{task}/progress")
    assert detail.keys() == {"task_info", "batches", "page_statistics", "detailed_progress"}
    assert detail["task_info"] == row
    batches = _told(ocr, f"/api/tasks/{task}/batches")
    assert (batches["total_batches"], batches["batches"]) == (3, detail["batches"])
    assert [(batch["page_start"], batch["status"]) for batch in batches["batches"]] == [
        (1, "completed"), (2, "completed"), (3, "failed"),
    ]  # fmt: skip


def test_a_result_is_exported_in_three_formats(ocr: Ocr) -> None:
    task = _submit(ocr, "image", dark.SIGN)
    _ended(ocr, task)
    for form, kind in (("json", "application/json"), ("txt", "text/plain"), ("md", "text/markdown")):
        answer = ocr.get(f"/api/tasks/{task}/export", params={"format": form})
        assert answer.headers["content-type"].split(";")[0] == kind
        assert answer.headers["content-disposition"] == f'attachment; filename="task_{task}_result.{form}"'
        if form == "json":
            assert answer.json().keys() == {"task_id", "export_time", "task_info", "content"}
            assert answer.json()["content"] == "EXIT"
        else:
            assert answer.text == "EXIT"


def test_a_batch_takes_what_can_be_taken(ocr: Ocr) -> None:
    sent = [("files", ("a.png", dark.SIGN)), ("files", ("b.txt", b"hello")), ("files", ("c.pdf", dark.pdf(2)))]
    body = ocr.post("/api/async/batch", files=sent).json()
    assert body.keys() == {
        "status", "message", "submitted_tasks", "failed_files", "total_tasks", "total_estimated_time", "endpoints",
    }  # fmt: skip
    picture, document = body["submitted_tasks"]
    assert picture.keys() == {"task_id", "filename", "type", "estimated_time"}
    assert document.keys() == picture.keys() | {"total_pages"}
    assert (picture["filename"], picture["type"]) == ("a.png", "image")
    assert (document["filename"], document["type"], document["total_pages"]) == ("c.pdf", "pdf", 2)
    assert body["total_estimated_time"] == picture["estimated_time"] + document["estimated_time"]
    assert (body["status"], body["total_tasks"], body["message"]) == ("success", 2, "2 submitted, 1 refused")
    (failed,) = body["failed_files"]
    assert (failed["filename"], failed.keys()) == ("b.txt", {"filename", "error"})
    assert failed["error"].startswith("file: ")


def test_many_tasks_are_asked_for_at_once(ocr: Ocr) -> None:
    task = _submit(ocr, "image", dark.SIGN)
    _ended(ocr, task)
    body = ocr.post("/api/tasks/batch/status", {"task_ids": [task, "nobody"]}).json()
    assert body.keys() == {"status", "tasks", "summary"}
    assert body["summary"] == {"total_tasks": 2, "status_counts": {"completed": 1, "not_found": 1}}
    found, missing = body["tasks"]
    assert found.keys() == {"task_id", "status", "progress", "created_at", "completed_at", "error_message"}
    assert (found["status"], found["progress"]) == ("completed", 100)
    assert missing == {"task_id": "nobody", "status": "not_found", "error_message": "there is no job nobody"}


def test_tasks_are_listed_newest_first(serve_ocr: ServeOcr) -> None:
    live = serve_ocr()
    tasks = [_submit(live, "image", dark.SIGN) for _ in range(3)]
    for task in tasks:
        _ended(live, task)
    assert [row["task_id"] for row in _told(live, "/api/tasks")] == tasks[::-1]
    assert [row["task_id"] for row in _told(live, "/api/tasks?status=completed&limit=1&offset=1")] == [tasks[1]]
    assert _told(live, "/api/tasks?status=failed") == []


def test_the_system_is_told_in_figures(ocr: Ocr) -> None:
    counts = _told(ocr, "/api/system/stats")["task_system"]["queue"]
    assert counts.keys() == {f"{word}_count" for word in ("pending", "processing", "completed", "failed", "cancelled")}
    health = _told(ocr, "/api/system/health")
    assert health.pop("timestamp")
    machine = {name: health["system_health"].pop(name) for name in ("cpu", "memory", "disk")}
    assert health == {
        "overall_status": "healthy", "issues": [], "system_health": {"engine": "ready", "store": "answers"},
    }  # fmt: skip
    assert machine["cpu"].keys() == {"cores", "load_1m"}
    assert 0 < machine["memory"]["free_gb"] <= machine["memory"]["total_gb"]
    assert 0 < machine["disk"]["free_gb"] <= machine["disk"]["total_gb"]
    assert _told(ocr, "/api/system/metrics").keys() == {"timestamp", "tasks", "waiting_calls", "page_seconds"}


def test_the_socket_tells_a_task_from_its_start_to_its_end(ocr: Ocr) -> None:
    data = dark.pdf(2, blank=1)
    task = _submit(ocr, "pdf", data)
    subscribed, *told = [_untimed(message) for message in _ended(ocr, task)]
    assert subscribed == {"type": "task_subscribed", "task_id": task}
    started, first, half, second, whole, end = told
    assert started.pop("estimated_time") >= 1
    assert started == {
        "type": "task_started", "task_id": task, "task_type": "pdf_ocr", "file_name": "a.pdf", "total_pages": 2,
    }  # fmt: skip
    page = {"type": "page_completed", "task_id": task}
    good = {"page_number": 1, "status": "completed", "content_length": 5, "error_message": None}
    bad = {"page_number": 2, "status": "failed", "content_length": 0, "error_message": "nothing is on it"}
    assert first == {**page, "page_number": 1, "data": good}
    assert second == {**page, "page_number": 2, "data": bad}
    for message, number, progress, failed in ((half, 1, 47.5, 0), (whole, 2, 95, 1)):
        assert message == {
            "type": "task_progress", "task_id": task, "progress": progress,
            "data": {
                "progress": progress, "current_page": number, "total_pages": 2, "status": "processing",
                "message": f"page {number}, {number} of 2", "processed_pages": number, "failed_pages": failed,
            },
        }  # fmt: skip
    assert end["result_summary"].pop("processing_time") >= 0
    assert end == {
        "type": "task_completed", "task_id": task, "content_preview": "EXIT",
        "result_summary": {
            "total_pages": 2, "successful_pages": 1, "failed_pages": 1, "success_rate": "50.0%", "content_length": 4,
            "file_size_mb": round(len(data) / 1024 / 1024, 2),
        },
    }  # fmt: skip


def test_a_task_of_which_no_page_can_be_read_has_failed(ocr: Ocr) -> None:
    task = _submit(ocr, "image", pictures.encoded(np.full((60, 80, 3), 255, np.uint8)))
    end = _untimed(_ended(ocr, task)[-1])
    assert end.pop("partial_results")["success_rate"] == "0.0%"
    text = "no page could be read; page 1: nothing is on it"
    assert end == {"type": "task_failed", "task_id": task, "error_message": text, "failed_page": 1}
    row = _told(ocr, f"/api/tasks/{task}")
    assert (row["status"], row["error_message"]) == ("failed", text)
    assert "failed" in _error(ocr.get(f"/api/tasks/{task}/export"), 409)


def test_the_socket_answers_commands(ocr: Ocr) -> None:
    task = _submit(ocr, "image", dark.SIGN)
    _ended(ocr, task)
    with ocr.socket("/ws?client_id=me") as talk:
        hello = _untimed(talk.hear())
        assert hello == {"type": "connection_established", "task_id": None, "client_id": "me"}
        talk.say(type="ping")
        assert _untimed(talk.hear()) == {"type": "pong", "task_id": None}
        talk.say(type="get_task_status", task_id=task)
        row = _told(ocr, f"/api/tasks/{task}")
        assert _untimed(talk.hear()) == {"type": "task_status_response", "task_id": task, "task_info": row}
        talk.say(type="unsubscribe_task", task_id=task)
        assert _untimed(talk.hear()) == {"type": "task_unsubscribed", "task_id": task}
    with ocr.socket("/ws") as first, ocr.socket("/ws") as second:
        assert first.hear()["client_id"] != second.hear()["client_id"]


@pytest.mark.parametrize(
    "nonsense",
    [
        "{", "[1]", "", "{}", '{"type": "dance"}', '{"type": {}}', '{"type": "subscribe_task"}',
        '{"type": "get_task_status", "task_id": 5}', '{"type": "subscribe", "task_id": "nobody"}',
        '{"type": "unsubscribe_task", "task_id": "\\ud800"}', json.dumps({"type": "ping", "a": "a" * 70_000}),
        "[" * 30_000, b'{"type": "ping"}',
    ],
)  # fmt: skip
def test_nonsense_on_the_socket_is_answered_and_ends_nothing(ocr: Ocr, nonsense: str | bytes) -> None:
    with ocr.socket("/ws") as talk:
        talk.hear()
        talk.connection.send(nonsense)
        told = _untimed(talk.hear())
        assert told.keys() == {"type", "task_id", "message"}
        assert (told["type"], told["task_id"]) == ("error", None)
        talk.say(type="ping")
        assert talk.hear()["type"] == "pong"


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/cancel")])
def test_a_task_is_cancelled(slow: Ocr, reader: dark.GatedReader, method: str, path: str) -> None:
    task = _submit(slow, "pdf", dark.pdf(3))
    reader.begun()
    pages = _told(slow, f"/api/tasks/{task}/pages")["pages"]
    assert [page["status"] for page in pages] == ["processing", "pending", "pending"]
    answer = slow.http.request(method, f"/api/tasks/{task}{path}")
    assert answer.json() == {"status": "success", "message": "cancelled", "task_id": task}
    reader.let(100)
    end = _untimed(_ended(slow, task)[-1])
    assert end == {"type": "task_cancelled", "task_id": task, "reason": "the client asked for it"}
    assert _told(slow, f"/api/tasks/{task}")["status"] == "cancelled"
    _error(slow.http.request(method, f"/api/tasks/{task}{path}"), 409)


def test_a_task_can_be_left_and_joined_again(slow: Ocr, reader: dark.GatedReader) -> None:
    task = _submit(slow, "pdf", dark.pdf(2))
    with slow.socket("/ws") as talk:
        talk.hear()
        talk.say(type="subscribe_task", task_id=task)
        reader.let(1)
        assert talk.hear_until("task_progress")[-1]["progress"] == 47.5
        talk.say(type="unsubscribe_task", task_id=task)
        assert talk.hear()["type"] == "task_unsubscribed"
        reader.let(1)
        assert slow.until(lambda: _told(slow, f"/api/tasks/{task}")["status"] == "completed")
        talk.say(type="ping")
        assert talk.hear()["type"] == "pong"
        talk.say(type="subscribe_task", task_id=task)
        seen = [message["type"] for message in talk.hear_until(*ENDS)]
    assert seen == [
        "task_subscribed", "task_started", *["page_completed", "task_progress"] * 2, "task_completed",
    ]  # fmt: skip


BAD: dict[str, tuple[str, bytes, tuple[int, ...]]] = {
    "text": ("image", b"hello", (400, 415, 422)),
    "nothing": ("image", b"", (400, 422)),
    "half a picture": ("image", b"\x89PNG\r\n\x1a\n123", (400,)),
    "a PDF as a picture": ("image", dark.pdf(1), (422,)),
    "a picture as a PDF": ("pdf", dark.SIGN, (422,)),
    "a PDF that is none": ("pdf", b"%PDF-1.7 hello", (400,)),
    "too many pages": ("pdf", dark.pdf(6), (413,)),
}


@pytest.mark.parametrize("case", BAD)
def test_a_document_that_is_none_is_refused_in_this_wire_s_shape(ocr: Ocr, case: str) -> None:
    kind, data, statuses = BAD[case]
    _error(_send(ocr, kind, data), *statuses)
    _error(_send(ocr, kind, data, "/any"), *statuses)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("async/image", {}),
        ("async/image", {"json": {"file": "x"}}),
        ("async/image", {"files": [("file", ("a", dark.SIGN)), ("file", ("b", dark.SIGN))]}),
        ("async/image", {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
        ("async/pdf", {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}),
        ("async/batch", {"json": {}}),
        ("async/batch", {"files": [("files", ("a", b"x"))] * 21}),
        ("tasks/batch/status", {"json": {}}),
        ("tasks/batch/status", {"json": {"task_ids": []}}),
        ("tasks/batch/status", {"json": {"task_ids": [5]}}),
        ("tasks/batch/status", {"json": {"task_ids": ["a"] * 51}}),
        ("tasks/batch/status", {"content": b"{"}),
        ("tasks/nobody/cancel", {}),
    ],
)
def test_a_bad_request_is_the_client_s_error(ocr: Ocr, path: str, sent: dict[str, Any]) -> None:
    _error(ocr.post(f"/api/{path}", **sent), 400, 404, 415, 422)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("tasks/nobody", 404),
        ("tasks/nobody/result", 404),
        ("tasks/nobody/export?format=pdf", 422),
        ("tasks/a%00b", 404),
        ("tasks?limit=0", 422),
        ("tasks?offset=x", 422),
        ("tasks?status=done", 422),
        ("tasks/nobody/nothing", 404),
        ("async/image", 405),
    ],
)
def test_a_bad_path_is_the_client_s_error(ocr: Ocr, path: str, status: int) -> None:
    _error(ocr.get(f"/api/{path}"), status)


@pytest.mark.parametrize("page", ["0", "2", "-1", "x", "9" * 30])
def test_a_page_that_is_not_there_is_the_client_s_error(ocr: Ocr, page: str) -> None:
    task = _submit(ocr, "image", dark.SIGN)
    _error(ocr.get(f"/api/tasks/{task}/pages/{page}"), 404, 422)


def test_the_password_stands_in_the_path(serve_ocr: ServeOcr) -> None:
    locked = serve_ocr(api_keys="ann's, bob's")
    task = _submit(locked, "image", dark.SIGN, "/ann's")
    assert _ended(locked, task, "/ann's")[-1]["type"] == "task_completed"
    assert locked.get(f"/ann's/api/tasks/{task}").status_code == 200
    assert locked.get(f"/api/tasks/{task}", headers={"Authorization": "Bearer ann's"}).status_code == 200
    _error(locked.get(f"/bob's/api/tasks/{task}"), 404)
    _error(locked.get(f"/eve's/api/tasks/{task}"), 401)
    _error(locked.get(f"/api/tasks/{task}"), 401)
    for path in ("/ws", "/eve's/ws"):
        with pytest.raises(InvalidStatus) as caught, locked.socket(path):
            pass
        assert caught.value.response.status_code == 401
    with locked.socket("/bob's/ws") as talk:
        talk.hear()
        talk.say(type="subscribe", task_id=task)
        assert talk.hear()["message"] == f"there is no job {task}"
    for path in ("/health", "/healthz"):
        assert locked.get(path).status_code == 200


def test_a_full_queue_is_told(serve_ocr: ServeOcr, reader: dark.GatedReader) -> None:
    live = serve_ocr(reader, slots=1, queue_limit=1)
    _submit(live, "image", dark.SIGN)
    reader.begun()
    _submit(live, "image", dark.SIGN)
    refused = _send(live, "image", dark.SIGN)
    _error(refused, 429)
    assert int(refused.headers["retry-after"]) >= 1
    reader.let(100)
