"""What both clients promise, of a backend that is a list of answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from cleanplate import Client
from cleanplate.client import JobFailed, NotUnderstood, Refused, Unreachable
from tests.unit.client.conftest import Backend, event, job, refused, stream

DROPPED = httpx.ReadError("dropped")
API = "/api/v1/jobs"


def succeeded() -> httpx.Response:
    return job("succeeded", seq=3)


def picture(data: bytes = b"clean") -> httpx.Response:
    return httpx.Response(200, content=data, headers={"content-type": "image/png"})


def test_a_picture_goes_in_and_what_was_behind_its_text_comes_out(
    backend: Backend, client: Any, tmp_path: Path
) -> None:
    (tmp_path / "in.png").write_bytes(b"picture")
    backend.answers = [job(code=202), job("running"), succeeded(), picture()]
    made = client.erase(tmp_path / "in.png", verify=False)
    assert made.save(tmp_path / "out.png").read_bytes() == b"clean"
    assert (made.media_type, made.view["seq"]) == ("image/png", 3)
    wait = f"GET {API}/j1?wait=30.0"
    assert backend.asked == [f"POST {API}", wait, wait, f"GET {API}/j1/result"]
    sent = backend.requests[0].content
    assert b'filename="in.png"' in sent
    assert b"picture" in sent
    assert b'{"verify": false}' in sent


@pytest.mark.parametrize(
    ("given", "name", "named"),
    [(bytes, None, b"image"), (bytes, "a.png", b"a.png"), (BytesIO, None, b"image")],
)
def test_bytes_and_open_files_are_taken_too(
    backend: Backend, client: Any, given: Any, name: str | None, named: bytes
) -> None:
    backend.answers = [job(code=202)]
    client.submit(given(b"picture"), name=name)
    assert b'filename="%s"' % named in backend.requests[0].content
    assert b"picture" in backend.requests[0].content


def test_a_url_is_left_to_the_backend(backend: Backend, client: Any) -> None:
    backend.answers = [job(code=202)]
    client.submit("https://example.com/a.png", model="lama")
    assert json.loads(backend.requests[0].content) == {
        "url": "https://example.com/a.png",
        "options": {"model": "lama"},
    }


def test_a_file_that_is_not_there_is_an_error_of_the_system(client: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        client.submit(tmp_path / "gone.png")


def test_a_submit_that_did_not_get_through_is_made_again_under_the_same_key(backend: Backend, client: Any) -> None:
    full = refused(429, "queue_full", headers={"Retry-After": "0"})
    backend.answers = [httpx.ConnectError("refused"), full, DROPPED, refused(503), job(code=202)]
    assert client.submit(b"picture").id == "j1"
    keys = {request.headers["idempotency-key"] for request in backend.requests}
    assert (len(backend.requests), len(keys)) == (5, 1)
    backend.answers = [job(code=202), job(code=202)]
    client.submit(b"picture")
    client.submit(b"picture", idempotency_key="mine")
    assert len({*keys, *(request.headers["idempotency-key"] for request in backend.requests[5:])} | {"mine"}) == 3


def test_what_does_not_pass_is_told_when_the_tries_are_used_up(backend: Backend, connect: Callable[..., Any]) -> None:
    client = connect(retries=1)
    backend.answers = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")]
    with pytest.raises(Unreachable, match="http://backend:8000 does not answer: ConnectTimeout slow"):
        client.job("j1")
    backend.answers = [DROPPED, httpx.Response(502, text="<html>")]
    with pytest.raises(Refused, match="answered 502 Bad Gateway"):
        client.job("j1")
    assert backend.answers == []


def test_a_refusal_is_told_at_once_with_its_reason(backend: Backend, connect: Callable[..., Any]) -> None:
    client = connect(key="wrong")
    backend.answers = [refused(422, "invalid", "is not known", field="options.modle")]
    with pytest.raises(Refused, match=r"options\.modle: is not known") as caught:
        client.submit(b"picture", modle="lama")
    told = caught.value
    assert (told.status, told.code, told.detail, told.field) == (422, "invalid", "is not known", "options.modle")
    backend.answers = [refused(401, "unauthorized")]
    with pytest.raises(Refused) as caught:
        client.job("j1")
    assert caught.value.status == 401
    assert [request.headers["authorization"] for request in backend.requests] == ["Bearer wrong"] * 2


@pytest.mark.parametrize("body", ["<html>", "[]", '{"name": "other"}'])
def test_what_is_no_backend_is_not_understood(backend: Backend, client: Any, body: str) -> None:
    backend.answers = [httpx.Response(200, text=body)]
    with pytest.raises(NotUnderstood, match="http://backend:8000/api/v1/jobs/j1"):
        client.job("j1")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "localhost", "ftp://backend", "http://", ""])
def test_what_is_no_url_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ValueError, match="is no URL like"):
        Client(url)


@pytest.mark.parametrize(("status", "error"), [("failed", {"code": "odd", "detail": "why"}), ("cancelled", None)])
def test_a_job_without_a_result_says_why(backend: Backend, client: Any, status: str, error: Any) -> None:
    backend.answers = [job(code=202), job(status, error=error)]
    with pytest.raises(JobFailed, match="why" if error else "the job was cancelled") as caught:
        client.erase(b"picture")
    assert (caught.value.code, caught.value.view["status"]) == ("odd" if error else "cancelled", status)


def test_what_happened_is_told_once_however_often_the_connection_drops(backend: Backend, client: Any) -> None:
    first, second, third = event(1, "queued"), event(2, message="a\u2028b"), event(3, "succeeded")
    backend.answers = [
        job(),
        stream(b": still here\n\n", first, second[:50], DROPPED),
        httpx.ConnectError("restarting"),
        httpx.Response(502),
        stream(first, second[:50], second[50:]),
        job("running", seq=3),
        stream(third),
        succeeded(),
    ]
    told = list(client.job("j1").events())
    assert [(each.seq, each.type, each.message) for each in told] == [
        (1, "queued", ""),
        (2, "progress", "a\u2028b"),
        (3, "succeeded", ""),
    ]
    streams = [request for request in backend.requests if request.url.path.endswith("/events")]
    assert [request.headers["last-event-id"] for request in streams] == ["0", "1", "1", "1", "2"]


def test_a_job_that_is_retried_while_it_is_followed_is_followed_to_its_last_end(backend: Backend, client: Any) -> None:
    backend.answers = [job(), stream(event(1, "failed"), event(2, "retried")), job("running", seq=2)]
    backend.answers += [stream(event(3, "succeeded")), succeeded()]
    assert [each.type for each in client.job("j1").events()] == ["failed", "retried", "succeeded"]


def test_who_reads_too_slowly_is_dropped_and_goes_on(backend: Backend, client: Any) -> None:
    backend.answers = [job(), stream(event(2, "started"), event(2, "dropped", reason="slow")), job("running", seq=3)]
    backend.answers += [stream(event(3, "succeeded")), succeeded()]
    assert [each.type for each in client.job("j1").events()] == ["started", "succeeded"]
    assert backend.requests[3].headers["last-event-id"] == "2"


def test_the_log_of_a_job_that_has_ended_ends_at_once(backend: Backend, client: Any) -> None:
    backend.answers = [succeeded(), stream(), succeeded()]
    assert list(client.job("j1").events(after=3)) == []


def test_a_log_that_ends_too_early_again_and_again_is_given_up(backend: Backend, connect: Callable[..., Any]) -> None:
    backend.answers = [job(), *(answer for _ in range(3) for answer in (stream(), job("running")))]
    with pytest.raises(Unreachable, match="ends before the job does"):
        list(connect(retries=2).job("j1").events())


@pytest.mark.parametrize("told", [b"data: {\n\n", b"data: []\n\n", b'data: {"seq": 1}\n\n'])
def test_an_event_that_is_none_is_not_understood(backend: Backend, client: Any, told: bytes) -> None:
    backend.answers = [job(), stream(told)]
    with pytest.raises(NotUnderstood, match="an event is not understood"):
        list(client.job("j1").events())


def test_a_job_that_is_removed_while_it_is_followed_is_refused(backend: Backend, client: Any) -> None:
    backend.answers = [job(), stream(event(1, "queued")), refused(410, "expired")]
    events = client.job("j1").events()
    assert next(events).seq == 1
    with pytest.raises(Refused):
        next(events)


@pytest.mark.parametrize(("verb", "reached"), [("cancel", "cancelled"), ("retry", "running")])
def test_a_change_that_got_through_while_its_answer_did_not_is_done(
    backend: Backend, client: Any, verb: str, reached: str
) -> None:
    backend.answers = [job(), DROPPED, refused(409, "finished"), job(reached)]
    known = client.job("j1")
    assert getattr(known, verb)()["status"] == known.status == reached
    backend.answers = [refused(409, "finished"), succeeded()]
    with pytest.raises(Refused):
        getattr(known, verb)()
    backend.answers = [refused(404, "not_found")]
    with pytest.raises(Refused):
        getattr(known, verb)()


def test_a_job_can_be_removed_twice_and_one_that_never_was_not_at_all(backend: Backend, client: Any) -> None:
    backend.answers = [job(), httpx.Response(204), refused(410, "expired"), refused(404, "not_found")]
    known = client.job("j1")
    known.delete()
    known.delete()
    with pytest.raises(Refused):
        known.delete()


def test_a_jobs_files_are_there_when_it_has_ended(backend: Backend, client: Any) -> None:
    regions = [{"id": "r1", "text": "SALE"}]
    backend.answers = [
        job(),
        succeeded(),
        picture(b"mask"),
        succeeded(),
        httpx.Response(200, json={"regions": regions}),
    ]
    known = client.job("j1")
    assert known.mask() == b"mask"
    assert known.regions() == regions
    backend.answers = [succeeded(), httpx.Response(200, json={"regions": []})]
    assert known.regions(page=2) == []
    assert backend.asked[-1] == f"GET {API}/j1/regions?page=2"
    backend.answers = [succeeded(), succeeded()]
    assert known.refresh()["status"] == known.wait()["status"] == "succeeded"


def test_what_is_no_id_leads_to_no_other_place(backend: Backend, client: Any) -> None:
    backend.answers = [refused(404, "not_found")]
    with pytest.raises(Refused):
        client.job("../presets?x=1")
    assert backend.asked == [f"GET {API}/..%2Fpresets%3Fx%3D1?wait=0.0"]


def test_jobs_are_listed_to_the_last_page(backend: Backend, client: Any) -> None:
    def page(*ids: str, after: str | None) -> httpx.Response:
        return httpx.Response(200, json={"jobs": [{"job_id": each, "status": "failed"} for each in ids], "next": after})

    backend.answers = [page("a", "b", after="x"), page("c", after=None)]
    assert [each.id for each in client.jobs(status="failed")] == ["a", "b", "c"]
    assert backend.asked == [f"GET {API}?status=failed", f"GET {API}?status=failed&after=x"]


def test_a_result_that_cannot_be_written_leaves_nothing(backend: Backend, client: Any, tmp_path: Path) -> None:
    backend.answers = [succeeded(), picture()]
    made = client.job("j1").result()
    (tmp_path / "there").mkdir()
    with pytest.raises(OSError, match="there"):
        made.save(tmp_path / "there")
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]
