"""Documents over HTTP: pages as they are read, the whole, what fails alone, and what is refused."""

from __future__ import annotations

import json
import socket
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pypdfium2
import pytest
from numpy.typing import NDArray
from PIL import Image

from cleanplate.contract.problems import TimedOut
from ocr_service.engines import Line, ReadOptions
from tests.fakes.bombs import pdf_with_bomb
from tests.fakes.pages import BarReader, document, sheet
from tests.fakes.stripes import Stripes, page
from tests.fakes.typed import INVISIBLE, TWO_LINES, UNSEEN, typed
from tests.wires.conftest import Ocr, ServeOcr
from tests.wires.pictures import encoded, text
from tests.wires.serving import PATIENCE_S


class Slow(BarReader):
    """Gives up on each page."""

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        raise TimedOut("too slow")


@pytest.fixture(scope="module")
def ocr(serve_ocr: ServeOcr) -> Ocr:
    return serve_ocr(BarReader(), max_pages=20)


def submit(live: Ocr, data: bytes, *, key: str | None = None, **params: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    form = {"params": json.dumps(params)}
    answer = live.post("/v1/documents", files={"file": ("scan.pdf", data)}, data=form, headers=headers)
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = answer.json()
    return view


def ended(live: Ocr, view: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = live.get(f"/v1/jobs/{view['job_id']}?wait=30").json()
    assert found["finished_at"], found
    return found


def result(live: Ocr, view: dict[str, Any], form: str = "json") -> httpx.Response:
    return live.get(f"/v1/jobs/{view['job_id']}/result?format={form}")


def lines_by_page(live: Ocr, view: dict[str, Any]) -> dict[int, int]:
    return {page["page"]: len(page["regions"]) for page in result(live, view).json()["pages"]}


def test_a_page_that_lies_on_its_side_is_read_upright_and_told_as_it_lies(serve_ocr: ServeOcr) -> None:
    live, pictures = serve_ocr(Stripes()), (encoded(page()), encoded(np.rot90(page(), 1).copy()))
    asked = ((pictures[0], True), (pictures[1], True), (pictures[1], False))
    views = [submit(live, picture, doc_orientation=wanted) for picture, wanted in asked]
    told = [result(live, ended(live, view)).json()["pages"][0] for view in views]
    texts = [(page["quarter_turns"], page["text"].strip()) for page in told]
    assert texts == [(0, "stripes"), (3, "stripes"), (0, "sadints")]
    assert told[1]["regions"][0]["box"] == told[1]["blocks"][0]["box"]
    assert told[1]["regions"][0]["polygon"][0] == [60, 260]


@pytest.mark.parametrize("kind", ["PDF", "TIFF", "GIF"])
def test_every_page_of_a_document_is_read(ocr: Ocr, kind: str) -> None:
    view = ended(ocr, submit(ocr, document(3, kind)))
    assert (view["status"], view["pages"], view["pages_done"]) == ("succeeded", [1, 2, 3], 3)
    assert lines_by_page(ocr, view) == {1: 1, 2: 2, 3: 3}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_picture_is_a_document_of_one_page(ocr: Ocr, kind: str) -> None:
    view = ended(ocr, submit(ocr, encoded(sheet(2), kind)))
    assert lines_by_page(ocr, view) == {1: 2}


def test_a_photograph_is_read_as_it_is_displayed(ocr: Ocr) -> None:
    file, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(sheet(3, 160)[:150]).copy()).save(file, "JPEG", exif=exif)
    (page,) = result(ocr, ended(ocr, submit(ocr, file.getvalue()))).json()["pages"]
    assert (page["width"], page["height"], len(page["regions"])) == (160, 150, 3)


def test_only_the_pages_asked_for_are_read(ocr: Ocr) -> None:
    view = ended(ocr, submit(ocr, document(7), page_ranges="1-3,7"))
    assert lines_by_page(ocr, view) == {1: 1, 2: 2, 3: 3, 7: 7}
    assert ocr.get(f"/v1/jobs/{view['job_id']}/pages/5").status_code == 422


def test_the_result_comes_as_markdown_and_as_text(ocr: Ocr) -> None:
    view = ended(ocr, submit(ocr, document(2)))
    markdown, plain = result(ocr, view, "md"), result(ocr, view, "txt")
    assert markdown.text == "line 1\n\nline 1\n\nline 2\n"
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    assert plain.text == "line 1\n\fline 1\n\nline 2\n"


def test_a_searchable_pdf_has_the_text_where_it_is_seen(ocr: Ocr) -> None:
    view = ended(ocr, submit(ocr, document(2), searchable_pdf=True))
    made = result(ocr, view, "pdf")
    assert made.headers["content-type"] == "application/pdf"
    pdf = pypdfium2.PdfDocument(made.content)
    page = pdf[1].get_textpage()
    assert page.get_text_bounded().split() == ["line", "1", "line", "2"]
    left, bottom, right, top = page.get_charbox(0, loose=True)
    assert (left, top) == pytest.approx((20, 144 - 12), abs=0.2)
    assert bottom == pytest.approx(144 - 18, abs=0.2)
    assert right == pytest.approx(20 + 100 / 6, abs=0.2)
    pdf.close()


def test_a_page_s_own_text_is_taken_where_it_can_be_trusted(ocr: Ocr) -> None:
    pdf = typed(TWO_LINES, INVISIBLE, UNSEEN)
    view = ended(ocr, submit(ocr, pdf, text_layer=True, word_boxes=True))
    first, *others = result(ocr, view).json()["pages"]
    assert (first["engine"], [page["engine"] for page in others]) == ("text layer", ["bars", "bars"])
    assert [region["text"] for region in first["regions"]] == ["Hello wide world", "second line"]
    assert [word["text"] for word in first["regions"][0]["words"]] == ["Hello", "wide", "world"]
    box = first["regions"][0]["box"]
    assert (box["x"], box["y"]) == pytest.approx((50, 81), abs=0.5)
    unasked = result(ocr, ended(ocr, submit(ocr, pdf))).json()["pages"]
    assert {page["engine"] for page in unasked} == {"bars"}


def test_a_searchable_pdf_of_a_tiff_shows_its_pages(ocr: Ocr) -> None:
    view = ended(ocr, submit(ocr, document(2, "TIFF"), searchable_pdf=True))
    pdf = pypdfium2.PdfDocument(result(ocr, view, "pdf").content)
    shown = pdf[1].render(scale=1).to_numpy()
    assert shown.shape[:2] == (144, 144)
    assert (shown[15, 60].max() < 60, shown[27, 60].max() < 60, shown[50, 60].min() > 200) == (True, True, True)
    assert pdf[1].get_textpage().count_chars() > 10
    pdf.close()


def test_no_searchable_pdf_is_there_that_nobody_asked_for(ocr: Ocr) -> None:
    answer = result(ocr, ended(ocr, submit(ocr, document(1))), "pdf")
    assert (answer.status_code, answer.json()["field"]) == (422, "format")


def test_pages_are_told_and_can_be_fetched_while_the_job_runs(serve_ocr: ServeOcr) -> None:
    gate = threading.Semaphore(0)
    live = serve_ocr(BarReader(gate=gate))
    view = submit(live, document(3))
    path = f"/v1/jobs/{view['job_id']}"
    with live.socket(f"{path}/ws") as talk:
        for number in (1, 2):
            assert live.get(f"{path}/pages/{number}").json()["code"] == "not_ready"
            gate.release()
            told = talk.hear_until("progress")[-1]["data"]
            assert (told["page"], told["done"], told["pages"], told["lines"]) == (number, number, 3, number)
            assert live.get(f"{path}/pages/{number}?format=txt").text.startswith("line 1")
        assert result(live, view).json()["code"] == "not_ready"
        gate.release()
        assert talk.hear_until("succeeded")[-1]["data"]["failed_pages"] == []


def test_the_log_comes_as_events(ocr: Ocr) -> None:
    view = ended(ocr, submit(ocr, document(2)))
    stream = ocr.get(f"/v1/jobs/{view['job_id']}/events").text
    assert [line[7:] for line in stream.splitlines() if line.startswith("event: ")] == [
        "queued", "started", "progress", "progress", "succeeded",
    ]  # fmt: skip


def test_a_page_that_fails_once_is_read_at_the_second_try(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(BarReader({3: 1}))
    view = ended(live, submit(live, document(4)))
    assert (view["status"], view["failed_pages"]) == ("succeeded", [])
    assert lines_by_page(live, view) == {1: 1, 2: 2, 3: 3, 4: 4}


def test_a_page_that_fails_twice_is_reported_and_the_rest_is_delivered(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(BarReader({3: 2}))
    view = ended(live, submit(live, document(4), searchable_pdf=True))
    assert view["status"] == "succeeded"
    assert [(failed["page"], failed["code"]) for failed in view["failed_pages"]] == [(3, "internal")]
    assert lines_by_page(live, view) == {1: 1, 2: 2, 3: 0, 4: 4}
    assert live.get(f"/v1/jobs/{view['job_id']}/pages/3").json()["error"]["code"] == "internal"
    assert "page 3 could not be read" in result(live, view, "md").text
    assert result(live, view, "pdf").content[:5] == b"%PDF-"


def test_a_document_of_which_no_page_can_be_read_fails_with_the_reason(ocr: Ocr) -> None:
    cut = document(1, "TIFF", compression="tiff_deflate")
    view = ended(ocr, submit(ocr, cut.replace(cut[10:60], b"\0" * 50, 1)))
    assert (view["status"], view["error"]["code"], view["error"]["field"]) == ("failed", "malformed", "file")
    assert "page 1: " in view["error"]["detail"]


def test_a_broken_frame_does_not_keep_the_others_back(ocr: Ocr) -> None:
    whole = document(3, "TIFF", compression="tiff_deflate")
    with Image.open(BytesIO(whole)) as image:
        image.seek(1)
        (at,) = image.tag_v2[273]  # type: ignore[attr-defined]
    view = ended(ocr, submit(ocr, whole[:at] + b"\0" * 40 + whole[at + 40 :]))
    assert [(failed["page"], failed["code"]) for failed in view["failed_pages"]] == [(2, "malformed")]
    assert lines_by_page(ocr, view) == {1: 1, 2: 0, 3: 3}


def test_a_fax_page_that_cannot_be_decoded_is_no_blank_page(ocr: Ocr) -> None:
    file = BytesIO()
    pages = [Image.fromarray(np.random.default_rng(i).integers(0, 2, (300, 400)).astype(bool)) for i in range(2)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], compression="group4")
    data = bytearray(file.getvalue())
    with Image.open(BytesIO(data)) as image:
        image.seek(1)
        (at,), (size,) = image.tag_v2[273], image.tag_v2[279]  # type: ignore[attr-defined]
    data[at : at + size] = np.random.default_rng(2).bytes(size)
    view = ended(ocr, submit(ocr, bytes(data)))
    assert [(failed["page"], failed["code"]) for failed in view["failed_pages"]] == [(2, "malformed")]
    assert "cannot be decoded" in view["failed_pages"][0]["detail"]


def test_a_document_of_which_no_page_can_be_read_fails_with_what_was_wrong(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(Slow())
    view = ended(live, submit(live, document(2)))
    assert (view["status"], view["error"]["code"], view["error"]["retryable"]) == ("failed", "timed_out", True)
    assert "page 1: too slow" in view["error"]["detail"]


def test_a_page_that_takes_forever_to_render_is_reported_and_the_rest_is_delivered(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(BarReader(), page_timeout_s=3)
    view = ended(live, submit(live, pdf_with_bomb()))
    assert [(failed["page"], failed["code"]) for failed in view["failed_pages"]] == [(1, "malformed")]
    assert lines_by_page(live, view) == {1: 0, 2: 0}
    assert live.get("/readyz").status_code == 200


def test_a_cancelled_job_stops_and_keeps_its_pages(serve_ocr: ServeOcr) -> None:
    gate, engine = threading.Semaphore(1), BarReader()
    engine.gate = gate
    live = serve_ocr(engine)
    view = submit(live, document(5))
    path = f"/v1/jobs/{view['job_id']}"
    with live.socket(f"{path}/ws") as talk:
        talk.hear_until("progress")
        assert live.post(f"{path}/cancel").json()["status"] == "cancelled"
        talk.hear_until("cancelled")
    gate.release(10)
    assert live.get(f"{path}/pages/1").status_code == 200
    assert live.get(f"{path}/pages/2").status_code == 409
    assert ended(live, submit(live, document(1)))["status"] == "succeeded"
    assert 3 not in engine.seen


def test_a_deleted_job_leaves_no_file(ocr: Ocr) -> None:
    view = ended(ocr, submit(ocr, document(1)))
    folder = Path(ocr.settings.files()) / view["job_id"]
    assert folder.exists()
    assert ocr.http.delete(f"/v1/jobs/{view['job_id']}").status_code == 204
    assert not folder.exists()
    assert ocr.get(f"/v1/jobs/{view['job_id']}").status_code == 410


def test_the_same_key_finds_the_same_job(ocr: Ocr) -> None:
    first, again = (submit(ocr, document(2), key="mine") for _ in range(2))
    assert first["job_id"] == again["job_id"]
    other = ocr.post("/v1/documents", files={"file": document(1)}, headers={"Idempotency-Key": "mine"})
    assert other.json()["code"] == "id_conflict"


def test_a_document_may_come_as_json(ocr: Ocr) -> None:
    answer = ocr.post("/v1/documents", {"file": text(document(2)), "page_ranges": "2"})
    assert lines_by_page(ocr, ended(ocr, answer.json())) == {2: 2}


def test_a_batch_is_a_job_for_each_and_a_reason_for_each_that_is_refused(ocr: Ocr) -> None:
    files = [("files", (f"{pages}.pdf", document(pages))) for pages in (1, 2)] + [("files", ("no.pdf", b"no"))]
    told = ocr.post("/v1/documents/batch", files=files).json()
    assert [lines_by_page(ocr, ended(ocr, view)) for view in told["accepted"]] == [{1: 1}, {1: 1, 2: 2}]
    assert [(refused["name"], refused["error"]["field"]) for refused in told["refused"]] == [("no.pdf", "file")]


def test_whoever_asked_is_called_back(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(BarReader(), allow_private_urls=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        submit(live, document(2), callback_url=f"http://127.0.0.1:{listener.getsockname()[1]}/done")
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as came:
            head = b"".join(iter(came.readline, b"\r\n")).decode().lower()
            body = json.loads(came.read(int(head.split("content-length:")[1].split()[0])))
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert head.startswith("post /done ")
    assert (body["status"], body["pages_done"], body["failed_pages"]) == ("succeeded", 2, [])


def test_a_callback_to_an_inner_address_is_refused(ocr: Ocr) -> None:
    answer = ocr.post("/v1/documents", {"file": text(document(1)), "callback_url": "http://127.0.0.1:1/"}).json()
    assert (answer["code"], answer["field"]) == ("address_refused", "callback_url")


def _huge() -> bytes:
    pdf, file = pypdfium2.PdfDocument.new(), BytesIO()
    pdf.new_page(14_400, 14_400)
    pdf.save(file)
    pdf.close()
    return file.getvalue()


def _pages(number: int) -> bytes:
    pdf, file = pypdfium2.PdfDocument.new(), BytesIO()
    for _ in range(number):
        pdf.new_page(72, 72)
    pdf.save(file)
    pdf.close()
    return file.getvalue()


def _encrypted() -> bytes:
    entry = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">>>/ID[<00><00>]"
    return _pages(1).replace(b"trailer\r\n<<", b"trailer\r\n<<" + entry).replace(b"trailer\n<<", b"trailer\n<<" + entry)


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", "malformed", "not a picture"),
        (b"hello", "malformed", "not a picture"),
        (b"%PDF-1.7\nnothing", "malformed", "not a PDF, or it is broken"),
        (document(3)[:700], "malformed", "not a PDF, or it is broken"),
        (_encrypted(), "invalid", "encrypted"),
        (_pages(0), "invalid", "no pages"),
        (_pages(10_000), "too_large", "10000 pages; at most 20"),
        (_huge(), "too_large", "max_pixels"),
        (document(1, "TIFF")[:8], "malformed", "broken"),
        (encoded(sheet(1))[:30], "malformed", "broken"),
        (b"\0\0\0\x0cjP  " + bytes(40), "unsupported_media", "JPEG 2000"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_with_the_reason(ocr: Ocr, data: bytes, code: str, said: str) -> None:
    answer = ocr.post("/v1/documents", files={"file": ("x", data)}).json()
    assert (answer["code"], answer["field"]) == (code, "file")
    assert said in answer["detail"]


def test_a_document_over_a_limit_is_told_the_limit(serve_ocr: ServeOcr, ocr: Ocr) -> None:
    pages = ocr.post("/v1/documents", files={"file": document(21, "TIFF")}).json()
    assert (pages["limit"], pages["limit_name"]) == (20, "max_pages")
    small = serve_ocr(BarReader(), max_file_size=1000)
    size = small.post("/v1/documents", files={"file": document(3)}).json()
    assert (size["status"], size["limit"], size["limit_name"]) == (413, 1000, "max_file_size")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"page_ranges": "2-1"}, "page_ranges"),
        ({"page_ranges": "9"}, "page_ranges"),
        ({"engine": "none"}, "engine"),
        ({"pages": "1"}, "pages"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(ocr: Ocr, params: dict[str, str], field: str) -> None:
    answer = ocr.post("/v1/documents", {"file": text(document(2)), **params})
    assert (answer.status_code, answer.json()["field"]) == (422, field)
