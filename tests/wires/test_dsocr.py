"""The DeepSeek-OCR server's wire: tasks, results, keys, health and metrics, as its README and its clients have them."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box
from ocr_service.app import make_app
from ocr_service.engines import PageText, Piece, ReadOptions
from ocr_service.settings import OcrSettings
from tests.fakes.pages import document
from tests.wires import dark, pictures
from tests.wires.conftest import Ocr, ServeOcr
from tests.wires.serving import Live
from tests.wires.test_documents_killed import Service

MARKDOWN = "EXIT\n"
ROW = {
    "task_id", "status", "queued_at", "started_at", "finished_at", "message", "progress", "name", "data_id",
    "result_md", "result_json", "result_zip",
}  # fmt: skip
REGION = {"id", "type", "text", "score"}


@pytest.fixture(scope="module")
def ocr(serve_ocr: ServeOcr) -> Ocr:
    return serve_ocr(dark.Stumbler(), max_pages=5, allow_private_urls=True)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Serve a document of two pages at /a%20b.pdf, and nothing else."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/a%20b.pdf" else 404)
            self.end_headers()
            self.wfile.write(dark.pdf(2))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _upload(live: Ocr, data: bytes = dark.SIGN, name: str = "a.png", **query: Any) -> str:
    answer = live.post("/v1/tasks/upload", files={"file": (name, data)}, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"task_id", "status"}
    assert answer.json()["status"] == "queued"
    return str(answer.json()["task_id"])


def _row(live: Ocr, task: str) -> dict[str, Any]:
    row: dict[str, Any] = live.get(f"/v1/tasks/{task}").json()
    assert row.keys() == ROW
    return row


def _ended(live: Ocr, task: str) -> dict[str, Any]:
    live.get(f"/v1/jobs/{task}?wait=30")
    row = _row(live, task)
    assert row["finished_at"] is not None, row
    return row


def _pages(live: Ocr, task: str) -> list[dict[str, Any]]:
    body = live.get(f"/v1/tasks/{task}/result.json").json()
    assert body.keys() == {"pages"}
    pages: list[dict[str, Any]] = body["pages"]
    return pages


def _error(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, (answer.status_code, answer.text)
    body = answer.json()
    assert body.keys() == {"code", "msg"}
    assert body["code"] == status
    return str(body["msg"])


def test_an_uploaded_picture_is_a_task_with_results(ocr: Ocr) -> None:
    task = _upload(ocr, data_id="mine")
    row = _ended(ocr, task)
    for name in ("queued_at", "started_at", "finished_at"):
        assert datetime.fromisoformat(row.pop(name)).utcoffset() is not None
    path = f"/v1/tasks/{task}"
    assert row == {
        "task_id": task, "status": "succeeded", "message": "page 1, 1 of 1", "progress": 1, "name": "a.png",
        "data_id": "mine", "result_md": f"{path}/result.md", "result_json": f"{path}/result.json",
        "result_zip": f"{path}/download.zip",
    }  # fmt: skip
    read = ocr.get(row["result_md"])
    assert (read.text, read.headers["content-type"]) == (MARKDOWN, "text/markdown; charset=utf-8")
    [page] = _pages(ocr, task)
    [region] = page.pop("regions")
    assert page == {"page_index": 1, "width": 160, "height": 120, "images": [], "text": MARKDOWN, "markdown": MARKDOWN}
    assert region.keys() == REGION | {"bbox", "polygon"}
    assert (region["type"], region["text"], region["score"]) == ("text", "EXIT", 0.75)
    assert region["bbox"] == [20, 30, 60, 40]
    assert region["polygon"][0] == [20, 30]


def test_a_document_by_url_and_the_zip_of_what_was_read(ocr: Ocr, site: str) -> None:
    body = {
        "url": f"{site}/a%20b.pdf", "is_ocr": True, "enable_formula": True, "enable_table": True, "language": "ch",
        "extra_formats": None, "model_version": "deepseek-ocr", "bbox": True, "pack_zip": True, "page_ranges": None,
        "something": "else",
    }  # fmt: skip
    answer = ocr.post("/v1/tasks", body)
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    task = answer.json()["task_id"]
    assert (_ended(ocr, task)["name"], _ended(ocr, task)["status"]) == ("a b.pdf", "succeeded")
    packed = ocr.get(f"/v1/tasks/{task}/download.zip")
    assert packed.headers["content-disposition"] == f'attachment; filename="{task}.zip"'
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["full.md", "layout.json"]
        assert archive.read("full.md").decode() == f"{MARKDOWN}\n{MARKDOWN}"
        assert json.loads(archive.read("layout.json"))["pages"] == _pages(ocr, task)
    assert [page["page_index"] for page in _pages(ocr, task)] == [1, 2]


class Gallery(dark.DarkReader):
    """Writes Markdown itself, and sees a picture on every page."""

    name = "deepseek"

    def page(self, rgb: NDArray[np.uint8], options: ReadOptions) -> PageText:
        return PageText((Piece("markdown", "# EXIT"), Piece("picture", box=Box(50, 100, 200, 200))))


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ocr]:
    """Start a service with that engine, which publishes."""
    folder = tmp_path_factory.mktemp("gallery")
    settings = OcrSettings(
        data=folder, engine="deepseek", deepseek_url="http://127.0.0.1:9/v1", app_publish_url=f"file://{folder}/out/"
    )
    live = Live(make_app(settings, lambda *_, **__: Gallery()), settings)
    live.start()
    live.until_ready()
    yield live
    live.stop()


def _picture_page() -> bytes:
    """Return a page with one large picture."""
    pixels = np.full((400, 300, 3), 255, np.uint8)
    pixels[100:300, 50:250] = 40
    return pictures.encoded(pixels)


def test_pictures_on_a_page_are_there_where_the_markdown_says(gallery: Ocr) -> None:
    task = _upload(gallery, _picture_page())
    _ended(gallery, task)
    [page] = _pages(gallery, task)
    [name] = page["images"]
    assert f"(images/{name})" in gallery.get(f"/v1/tasks/{task}/result.md").text
    with zipfile.ZipFile(io.BytesIO(gallery.get(f"/v1/tasks/{task}/download.zip").content)) as archive:
        assert archive.namelist() == ["full.md", "layout.json", f"images/{name}"]
        packed = archive.read(f"images/{name}")
    for path in (name, f"images/{name}"):
        answer = gallery.get(f"/v1/tasks/{task}/result-images/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.content == packed
    assert pictures.decoded(packed).mean() < 60
    gallery.until(lambda: "; published" in str(_row(gallery, task)["message"]))
    assert gallery.get("/healthz").json()["compute_backend"] == "remote"
    out = Path(gallery.settings.app_publish_url.removeprefix("file://")) / task
    assert (out / "images" / name).read_bytes() == packed


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("..%2F..%2Fetc%2Fpasswd", 403), ("%2e%2e/%2e%2e/jobs.db", 403), ("%2Fetc%2Fpasswd", 403), ("a%00.jpg", 403),
        ("a%5C..%5Cb", 403), ("images/../x.jpg", 404), ("page-000001.json", 404), ("document", 404), ("note.txt", 404),
        ("page-000001-9.jpg", 404), ("page-000009-1.jpg", 404), ("page-0000%D9%A01-1.jpg", 403), ("x" * 300, 403),
    ],
)  # fmt: skip
def test_nothing_but_pictures_is_had_as_pictures(gallery: Ocr, path: str, status: int) -> None:
    task = _upload(gallery, _picture_page())
    _ended(gallery, task)
    request = httpx.Request("GET", f"{gallery.url}/v1/tasks/{task}/result-images/{path}")
    assert gallery.http.send(request).status_code == status


def test_options_do_what_they_say(ocr: Ocr) -> None:
    task = _upload(ocr, dark.pdf(4), "a.pdf", page_ranges="2-3", bbox="false", pack_zip="false", extra_formats="docx")
    row = _ended(ocr, task)
    assert (row["message"], row["result_zip"]) == ("page 3, 2 of 2; not made here: docx", None)
    assert [page["page_index"] for page in _pages(ocr, task)] == [2, 3]
    assert {frozenset(region) for page in _pages(ocr, task) for region in page["regions"]} == {frozenset(REGION)}
    assert "pack_zip" in _error(ocr.get(f"/v1/tasks/{task}/download.zip"), 404)


def test_the_language_is_told_to_the_engine(ocr: Ocr) -> None:
    for name, code in (("japan", "ja"), ("latin", "fr"), ("pt-BR", "pt-br")):
        row = _ended(ocr, task := _upload(ocr, language=name))
        assert row["message"] == "page 1, 1 of 1"
        assert ocr.get(f"/v1/jobs/{task}").json()["options"]["languages"] == [code]
    _ended(ocr, task := _upload(ocr, language="ch"))
    assert ocr.get(f"/v1/jobs/{task}").json()["options"]["languages"] is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("tlh", "no model reads tlh"),
        ("korean", "ko: the model for it is not here: `cleanplate models fetch korean_PP-OCRv5_mobile_rec` gets"),
        ("no tag", "must be the tag of a language"),
    ],
)
def test_a_language_that_is_not_read_here_has_no_effect_and_the_task_says_so(
    serve_ocr: ServeOcr, tmp_path: Path, name: str, why: str
) -> None:
    live = serve_ocr(models=tmp_path)
    row = _ended(live, _upload(live, language=name))
    assert row["status"] == "succeeded"
    assert f"language {name!r} has no effect: {why}" in row["message"]


def test_options_in_the_form_count_too(ocr: Ocr) -> None:
    form = {"is_ocr": "true", "enable_formula": "true", "enable_table": "true", "language": "ch", "page_ranges": "2"}
    answer = ocr.post("/v1/tasks/upload", files={"file": ("a.pdf", dark.pdf(3))}, data=form)
    task = answer.json()["task_id"]
    _ended(ocr, task)
    assert [page["page_index"] for page in _pages(ocr, task)] == [2]


def test_a_page_that_cannot_be_read_is_told_and_the_others_are_there(ocr: Ocr) -> None:
    task = _upload(ocr, dark.pdf(2, blank=1), "a.pdf")
    assert _ended(ocr, task)["message"] == "page 2, 2 of 2; could not be read: 2"
    good, bad = _pages(ocr, task)
    assert "error" not in good
    assert (bad["error"], bad["regions"], bad["width"]) == ("nothing is on it", [], None)


def test_a_task_that_fails_says_why_and_has_no_result(ocr: Ocr) -> None:
    task = _upload(ocr, dark.pdf(1, blank=1), "a.pdf")
    row = _ended(ocr, task)
    assert row["status"] == "failed"
    assert row["message"] == "no page could be read; page 1: nothing is on it"
    for name in ("result.md", "result.json", "download.zip"):
        assert "the job is failed" in _error(ocr.get(f"/v1/tasks/{task}/{name}"), 404)


def test_a_task_goes_from_queued_to_processing_and_can_be_canceled(slow: Ocr, reader: dark.GatedReader) -> None:
    first, second = (_upload(slow, dark.pdf(2), "a.pdf") for _ in range(2))
    reader.begun()
    assert (_row(slow, first)["status"], _row(slow, second)["status"]) == ("processing", "queued")
    assert "not" not in (_row(slow, first)["message"] or "")
    _error(slow.get(f"/v1/tasks/{first}/result.md"), 404)
    assert [row["task_id"] for row in slow.get("/v1/tasks").json()["tasks"]] == [second, first]
    assert [row["task_id"] for row in slow.get("/v1/tasks?limit=1").json()["tasks"]] == [second]
    assert slow.post(f"/v1/tasks/{second}/cancel").json()["status"] == "canceled"
    _error(slow.post(f"/v1/tasks/{second}/cancel"), 409)
    reader.let(10)
    assert _ended(slow, first)["progress"] == 1


def test_a_deleted_task_is_gone_also_while_it_runs(slow: Ocr, reader: dark.GatedReader) -> None:
    task = _upload(slow, dark.pdf(2), "a.pdf")
    reader.begun()
    answer = slow.http.delete(f"/v1/tasks/{task}")
    assert (answer.status_code, answer.json()) == (200, {"code": 0, "msg": "deleted"})
    reader.let(10)
    _error(slow.get(f"/v1/tasks/{task}"), 404)
    _error(slow.get(f"/v1/tasks/{task}/result.md"), 404)
    _error(slow.http.delete(f"/v1/tasks/{task}"), 404)


def test_a_service_that_is_killed_in_mid_task_goes_on_there(tmp_path: Path) -> None:
    service = Service(tmp_path, page=3, times=1)
    try:
        service.start()
        sent = service.http.post("/v1/tasks/upload", files={"file": ("a.pdf", document(4))})
        task = sent.json()["task_id"]
        service.died()
        service.start()
        service.ended(f"/v1/jobs/{task}")
        assert service.http.get(f"/v1/tasks/{task}").json()["status"] == "succeeded"
        pages = service.http.get(f"/v1/tasks/{task}/result.json").json()["pages"]
        assert [len(page["regions"]) for page in pages] == [1, 2, 3, 4]
        assert service.begun() == [1, 2, 3, 3, 4]
    finally:
        service.stop()


BAD_BODIES: dict[str, tuple[dict[str, Any], int, str]] = {
    "no url": ({}, 400, "url: is missing"),
    "an empty url": ({"url": ""}, 400, "url: is missing"),
    "null": ({"url": None}, 400, "url: is missing"),
    "a file": ({"url": "file:///etc/passwd"}, 422, "url: is not an http or https URL"),
    "no url at all": ({"url": "hello"}, 422, "url: is not an http or https URL"),
    "a number": ({"url": 5}, 422, "url: "),
    "a wrong option": ({"url": "http://a.test/", "bbox": "perhaps"}, 422, "bbox: "),
    "a format nobody makes": ({"url": "http://a.test/", "extra_formats": ["exe"]}, 422, "extra_formats.0: "),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_told_by_field(ocr: Ocr, case: str) -> None:
    body, status, start = BAD_BODIES[case]
    assert _error(ocr.post("/v1/tasks", body), status).startswith(start)


def test_a_url_that_holds_nothing_is_told(ocr: Ocr, site: str) -> None:
    assert "404" in _error(ocr.post("/v1/tasks", {"url": f"{site}/nothing"}), 422)


def test_a_private_url_is_refused(slow: Ocr, site: str) -> None:
    for url in (site, "http://169.254.169.254/latest", "http://[::1]/", "http://localhost/"):
        _error(slow.post("/v1/tasks", {"url": url}), 422)


BAD_FILES: dict[str, tuple[bytes, dict[str, Any], int, str]] = {
    "nothing in it": (b"", {}, 400, "file: "),
    "no document": (b"hello", {}, 400, "file: is not a picture"),
    "half a PDF": (dark.pdf(2)[:300], {}, 400, "file: "),
    "too many pages": (dark.pdf(6), {}, 413, "6 pages"),
    "pages that are not there": (dark.pdf(2), {"page_ranges": "2-9"}, 422, "page_ranges: "),
    "no range": (dark.pdf(2), {"page_ranges": "all"}, 422, "page_ranges: "),
    "a wrong option": (dark.SIGN, {"is_ocr": "perhaps"}, 422, "query.is_ocr: "),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_told(ocr: Ocr, case: str) -> None:
    data, query, status, start = BAD_FILES[case]
    answer = ocr.post("/v1/tasks/upload", files={"file": ("a.pdf", data)}, params=query)
    assert start in _error(answer, status)


def test_an_upload_without_a_file_is_told(ocr: Ocr) -> None:
    assert _error(ocr.post("/v1/tasks/upload", files={"other": b"x"}), 400).startswith("file: ")
    _error(ocr.post("/v1/tasks/upload", {"file": "x"}), 400)
    _error(ocr.post("/v1/tasks/upload", content=b"x", headers={"Content-Type": "text/plain"}), 415)


@pytest.mark.parametrize("task", ["0" * 32, "nothing", "%2e%2e%2fjobs.db", "..%00", "a" * 200])
def test_an_unknown_task_is_404(ocr: Ocr, task: str) -> None:
    for path in ("", "/result.md", "/result.json", "/download.zip"):
        answer = ocr.get(f"/v1/tasks/{task}{path}")
        assert answer.status_code == 404
    assert ocr.http.delete(f"/v1/tasks/{task}").status_code == 404


def test_wrong_paths_and_methods_are_told_in_this_shape(ocr: Ocr) -> None:
    _error(ocr.get("/v1/tasks/x/nothing"), 404)
    _error(ocr.http.put("/v1/tasks"), 405)
    _error(ocr.get("/v1/tasks?limit=0"), 422)


def test_a_file_over_the_limit_is_413(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(max_file_size=1000)
    for size in (2000, 3_000_000):
        _error(live.post("/v1/tasks/upload", files={"file": ("a.png", b"x" * size)}), 413)


def test_a_full_queue_is_503(serve_ocr: ServeOcr, reader: dark.GatedReader) -> None:
    live = serve_ocr(reader, slots=1, queue_limit=1)
    _upload(live)
    reader.begun()
    _upload(live)
    refused = live.post("/v1/tasks/upload", files={"file": ("a.png", dark.SIGN)})
    assert "1 jobs wait already" in _error(refused, 503)
    assert int(refused.headers["retry-after"]) >= 1
    reader.let(10)


def test_a_key_is_needed_where_there_are_keys_and_sees_its_own_tasks(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(app_api_keys='["sk_ann", "sk_bob"]', app_api_key="sk_eve")
    _error(live.post("/v1/tasks/upload", files={"file": dark.SIGN}), 401)
    _error(live.get("/v1/tasks", headers={"Authorization": "Bearer sk_mallory"}), 401)
    live.http.headers["Authorization"] = "Bearer sk_eve"
    task = _upload(live)
    _ended(live, task)
    live.http.headers["Authorization"] = "Bearer sk_ann"
    _error(live.get(f"/v1/tasks/{task}"), 404)
    assert live.get("/v1/tasks").json() == {"tasks": []}
    assert live.post("/v1/detect", {}).status_code == 422
    del live.http.headers["Authorization"]
    assert live.post("/v1/detect", {}).status_code == 401
    assert live.get("/healthz").status_code == 200


def test_auth_that_is_required_without_a_key_shuts_the_wire(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(app_require_auth=True)
    told = _error(live.get("/v1/tasks", headers={"Authorization": "Bearer sk_ann"}), 401)
    assert told == "APP_REQUIRE_AUTH is set and there is no key: set APP_API_KEYS"
    assert live.get("/v1/engines").status_code == 200


def test_auth_that_is_not_required_opens_the_wire_and_no_other(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(app_api_keys="sk_ann", app_require_auth=False)
    assert _row(live, _upload(live))["task_id"]
    assert live.get("/v1/engines").status_code == 401


def test_a_stranger_s_web_page_is_refused_unless_it_is_allowed(ocr: Ocr, serve_ocr: ServeOcr) -> None:
    page = {"Origin": "https://page.example"}
    _error(ocr.get("/v1/tasks", headers=page), 403)
    live = serve_ocr(app_cors_allow_origins="https://page.example, https://other.example")
    answer = live.get("/v1/tasks", headers=page)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://page.example")
    assert answer.headers["access-control-allow-credentials"] == "true"
    asking = {**page, "Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "Authorization"}
    asked = live.http.request("OPTIONS", "/v1/tasks/x", headers=asking)
    assert asked.status_code == 200
    assert "DELETE" in asked.headers["access-control-allow-methods"]
    _error(live.get("/v1/tasks", headers={"Origin": "https://stranger.example"}), 403)


def test_credentials_are_off_where_all_origins_may_call(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(app_cors_allow_origins="*", app_cors_allow_credentials=True)
    answer = live.get("/v1/tasks", headers={"Origin": "https://page.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in answer.headers


def test_health_is_told_in_full(serve_ocr: ServeOcr, reader: dark.GatedReader) -> None:
    live = serve_ocr(reader, slots=1, queue_limit=7, max_file_size=3 * 1024 * 1024, max_pages=9)
    for _ in range(3):
        _upload(live)
    reader.begun()
    body = live.get("/healthz").json()
    assert body.pop("uptime_seconds") > 0
    assert 0 < body.pop("system_memory_free_gb") <= body.pop("system_memory_total_gb")
    assert body.pop("memory_pressure") in (True, False)
    assert {"gpu_free_gb", "gpu_total_gb"} < body.keys()
    assert (body["gpu_free_gb"] is None) == (body["gpu_total_gb"] is None)
    del body["gpu_free_gb"], body["gpu_total_gb"]
    assert body == {
        "status": "ok", "queue_size": 2, "queue_capacity": 7, "running_workers": 1, "max_workers": 1,
        "compute_backend": "cpu", "model_enabled": True, "limits": {"max_upload_mb": 3, "max_pages": 9},
    }  # fmt: skip
    reader.let(10)


def test_without_a_model_the_service_is_well_and_takes_no_tasks(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(app_enable_ds_model=False)
    health = live.get("/healthz")
    assert (health.status_code, health.json()["status"], health.json()["model_enabled"]) == (200, "ok", False)
    refused = live.post("/v1/tasks/upload", files={"file": dark.SIGN})
    assert _error(refused, 503) == "there is no model: APP_ENABLE_DS_MODEL is false"
    assert live.post("/v1/detect", {"image": pictures.text(dark.SIGN)}).json()["regions"][0]["text"] == "EXIT"


def test_without_a_model_it_is_not_loaded_either_where_it_is_named(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(app_enable_ds_model=False, deepseek_url="http://127.0.0.1:9/v1")
    named = {"image": pictures.text(dark.SIGN), "engine": "deepseek"}
    refused = live.post("/v1/detect", named)
    assert (refused.status_code, refused.json()["field"]) == (422, "engine")
    assert "APP_ENABLE_DS_MODEL" in refused.json()["detail"]
    row = next(row for row in live.get("/v1/engines").json()["engines"] if row["name"] == "deepseek")
    assert (row["usable"], "APP_ENABLE_DS_MODEL" in row["reason"]) == (False, True)


def test_without_its_own_engine_the_service_is_well_and_reads_with_others(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(ready=False, app_enable_ds_model=False, engine="deepseek")
    live.until(lambda: live.get("/healthz").status_code == 200)
    assert live.get("/readyz").status_code == 503
    body = {"image": pictures.text(dark.SIGN)}
    refused = live.post("/v1/detect", body)
    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (503, "engine_unusable", False)
    assert "retry-after" not in refused.headers
    assert live.post("/v1/detect", {**body, "engine": "openai"}).json()["code"] == "invalid"
    assert live.post("/v1/documents", files={"file": dark.SIGN}).json()["code"] == "engine_unusable"


def _metrics(live: Ocr) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in live.get("/metrics").text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_metrics_have_the_names_of_the_original(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(dark.Stumbler())
    _ended(live, _upload(live))
    _ended(live, _upload(live, dark.pdf(1, blank=1), "a.pdf"))
    live.until(lambda: _metrics(live)["tasks_failed_total"])
    counted = _metrics(live)
    ends = [counted[f"tasks_{name}_total"] for name in ("submitted", "succeeded", "failed")]
    assert ends == [2, 1, 1]
    assert (counted["queue_size"], counted["running_workers"]) == (0, 0)
    for name in ("http_requests_total", "http_request_duration_seconds_count"):
        assert any(found.startswith(f"{name}{{") and "/v1/tasks/upload" in found for found in counted)


def test_metrics_can_be_switched_off(serve_ocr: ServeOcr) -> None:
    assert serve_ocr(app_metrics_enabled=False).get("/metrics").status_code == 404


def test_what_a_task_read_is_published(serve_ocr: ServeOcr, tmp_path: Path) -> None:
    live = serve_ocr(app_publish_url=f"file://{tmp_path}/out/")
    task = _upload(live, dark.pdf(2), "a.pdf")
    live.until(lambda: "; published" in str(_row(live, task)["message"]))
    row = _row(live, task)
    assert row["status"] == "succeeded"
    assert sorted(path.name for path in (tmp_path / "out" / task).iterdir()) == ["full.md", "layout.json"]
    assert (tmp_path / "out" / task / "full.md").read_text() == live.get(row["result_md"]).text
    assert json.loads((tmp_path / "out" / task / "layout.json").read_text())["pages"] == _pages(live, task)
