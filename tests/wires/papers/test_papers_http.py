"""Documents over HTTP: what is taken, what is refused, and the files of each page."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from pikepdf import Dictionary, Encryption, Pdf
from PIL import Image

from cleanplate.contract.problems import Invalid
from cleanplate.runtime.board import Board
from tests.fakes import papers
from tests.fakes.papers import rendered, text_of
from tests.fakes.services import Inpaint, Ocr, drawn, pixels, working
from tests.unit.backend.conftest import Open, problem

pytestmark = pytest.mark.usefixtures("services_at_hand")

DOCUMENT = papers.pdf(["SALE"], [], ["ONLY"])
WHITE = pixels(drawn())


async def sent(client: httpx.AsyncClient, document: bytes = DOCUMENT, **options: Any) -> httpx.Response:
    form = {"options": json.dumps(options)}
    return await client.post("/api/v1/jobs", files={"file": ("in.pdf", document)}, data=form)


async def done(client: httpx.AsyncClient, answer: httpx.Response) -> tuple[str, dict[str, Any]]:
    """Return the job's path, and the job once it has ended."""
    assert answer.status_code == 202, answer.text
    path = f"/api/v1/jobs/{answer.json()['job_id']}"
    view: dict[str, Any] = (await client.get(f"{path}?wait=20")).json()
    assert view["status"] == "succeeded", view["error"]
    return path, view


def encrypted() -> bytes:
    file = BytesIO()
    with Pdf.open(BytesIO(DOCUMENT)) as document:
        document.save(file, encryption=Encryption(user="secret", owner="secret"))
    return file.getvalue()


def long(pages: int) -> bytes:
    with Pdf.new() as document:
        page = document.add_blank_page(page_size=(72, 72)).obj
        document.Root.Pages.Kids.extend([document.make_indirect(Dictionary(dict(page))) for _ in range(pages - 1)])
        document.Root.Pages.Count = pages
        return papers.saved(document)


def bomb() -> bytes:
    file = BytesIO()
    Image.new("1", (20, 20)).save(
        file, "TIFF", save_all=True, append_images=[Image.new("1", (9000, 9000))], compression="group4"
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("document", "options", "told"),
    [
        (b"%PDF-1.7\nnothing", {}, (400, "malformed", "file")),
        (DOCUMENT[:400], {}, (400, "malformed", "file")),
        (papers.pdf(), {}, (422, "invalid", "file")),
        (encrypted(), {}, (422, "invalid", "file")),
        (long(10_000), {}, (413, "too_large", "file")),
        (bomb(), {}, (413, "too_large", "file")),
        (papers.pdf([], MediaBox=[0, 0, 9000, 9000]), {}, (413, "too_large", "file")),
        (DOCUMENT, {"pages": "2-9"}, (422, "invalid", "options.pages")),
        (DOCUMENT, {"pages": "one"}, (422, "invalid", "options.pages")),
        (drawn(), {"pages": "2"}, (422, "invalid", "options.pages")),
        (DOCUMENT, {"output_format": "webp"}, (422, "invalid", "options.output_format")),
        (papers.tiff([], []), {"output_format": "jpeg"}, (422, "invalid", "options.output_format")),
        (DOCUMENT, {"languages": ["no tag"]}, (422, "invalid", "options.languages.0")),
    ],
)
async def test_what_cannot_be_erased_is_refused_at_once(
    opened: Open, document: bytes, options: dict[str, Any], told: tuple[int, str, str]
) -> None:
    async with opened(pdf_dpi=72, max_pixels=1_000_000) as client:
        answer = await sent(client, document, **options)
    assert problem(answer) == told
    if told[0] == 413:
        assert answer.json()["limit"] in (500, 1_000_000)
        assert answer.json()["limit_name"] in ("max_pages", "max_pixels")


async def test_a_document_also_comes_as_base64_and_its_pages_have_files(opened: Open, board: Board) -> None:
    async with opened(pdf_dpi=72) as client, working(board, Ocr(), Inpaint()):
        answer = await client.post("/api/v1/jobs", json={"image": base64.b64encode(DOCUMENT).decode()})
        path, view = await done(client, answer)

        async def got(name: str) -> httpx.Response:
            return await client.get(f"{path}/{name}")

        assert (view["pages"], [page["status"] for page in view["page_states"]]) == (
            3,
            ["erased", "untouched", "erased"],
        )
        whole = await got("result")
        assert (whole.headers["content-type"], text_of(whole.content)) == ("application/pdf", ["", "", ""])
        assert (await got("input")).content == DOCUMENT
        assert np.array_equal(pixels((await got("input?page=1")).content), rendered(DOCUMENT)[0])
        assert np.array_equal(pixels((await got("result?page=1")).content), WHITE)
        assert [region["text"] for region in (await got("regions?page=3")).json()["regions"]] == ["ONLY"]
        assert (await got("mask?page=3")).headers["content-type"] == "image/png"
        assert problem(await got("mask?page=2"))[:2] == problem(await got("result?page=2"))[:2] == (409, "not_ready")
        for name in ("regions", "mask", "preview", "regions?page=4", "result?page=4"):
            assert problem(await got(name)) == (422, "invalid", "page")


async def test_a_preview_outlines_what_was_found(opened: Open, board: Board) -> None:
    async with opened(pdf_dpi=72) as client, working(board, Ocr(), Inpaint()):
        path, _ = await done(
            client, await sent(client, dry_run=True, exclude=[{"x": 0, "y": 0, "width": 99, "height": 99}])
        )
        first, third = [await client.get(f"{path}/preview?page={page}") for page in (1, 3)]
        again = await client.get(f"{path}/preview?page=1", headers={"If-None-Match": first.headers["etag"]})
        large = BytesIO()
        Image.new("RGB", (4000, 100)).save(large, "PNG")
        path, _ = await done(client, await sent(client, large.getvalue()))
        small = await client.get(f"{path}/preview?format=jpeg")
    assert {tuple(color) for color in pixels(first.content)[20:22, 40:60].reshape(-1, 3)} == {(110, 118, 129)}
    assert (226, 29, 72) in {tuple(color) for color in pixels(third.content)[250, 35:60]}
    assert again.status_code == 304
    assert (small.headers["content-type"], Image.open(BytesIO(small.content)).size) == ("image/jpeg", (1600, 40))


async def test_the_regions_of_a_page_are_edited_and_repainted_without_ocr(opened: Open, board: Board) -> None:
    ocr = Ocr()
    async with opened(pdf_dpi=72) as client, working(board, ocr, Inpaint()):
        path, _ = await done(client, await sent(client, dry_run=True))
        looked = len(ocr.seen)
        kept = await client.put(f"{path}/regions?page=1", json={"regions": [{"id": "S", "enabled": False}]})
        assert kept.status_code == 200, kept.text
        assert (await client.get(f"{path}/regions?page=1")).json() == kept.json()
        again, view = await done(client, await client.post(f"{path}/rerun", json={"options": {"verify": False}}))
        text = text_of((await client.get(f"{again}/result")).content)
    assert [page["status"] for page in view["page_states"]] == ["untouched", "untouched", "erased"]
    assert text == ["SALE", "", ""]
    assert len(ocr.seen) == looked


async def test_a_tiff_of_one_page_is_a_picture(opened: Open, board: Board) -> None:
    async with opened() as client, working(board, Ocr(), Inpaint()):
        path, view = await done(client, await sent(client, papers.tiff(["SALE"]), pages="1"))
        result = await client.get(f"{path}/result?page=1")
    assert (view["pages"], "page_states" in view) == (1, False)
    assert result.headers["content-type"] == "image/png"


async def test_a_large_result_comes_in_pieces(opened: Open, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.deliveries.PIECE", 100)
    async with opened(pdf_dpi=72) as client, working(board, Ocr(), Inpaint()):
        path, view = await done(client, await sent(client, verify=False))
        whole = await client.get(f"{path}/result")
        part = await client.get(f"{path}/result", headers={"Range": "bytes=50-449"})
    assert whole.content == board.files.get(view["job_id"], "result")
    assert int(whole.headers["content-length"]) == len(whole.content) > 1000
    assert (part.status_code, part.content) == (206, whole.content[50:450])


async def test_failed_pages_are_retried_alone_and_the_document_is_bound_anew(opened: Open, board: Board) -> None:
    ocr = Ocr(Invalid("not this one"))
    async with opened(pdf_dpi=72) as client:
        async with working(board, ocr, Inpaint()):
            path, before = await done(client, await sent(client, verify=False))
            first = await client.get(f"{path}/result")
        queued = (await client.post(f"{path}/retry")).json()
        assert problem(await client.get(f"{path}/result"))[:2] == (409, "not_ready")
        async with working(board, ocr, Inpaint()):
            view = (await client.get(f"{path}?wait=20")).json()
            second = await client.get(f"{path}/result", headers={"If-None-Match": first.headers["etag"]})
        log = board.store.events(view["job_id"], before["seq"], 999)
        refused = await client.post(f"{path}/retry")
    assert (before["result"]["failed_pages"], text_of(first.content)) == ([1], ["SALE", "", ""])
    assert (queued["status"], queued["error"], [page["status"] for page in queued["page_states"]]) == (
        "queued", None, ["running", "untouched", "erased"],
    )  # fmt: skip
    assert 0.5 < queued["progress"] < 0.7
    assert (view["status"], view["result"]["failed_pages"]) == ("succeeded", [])
    assert (second.status_code, text_of(second.content)) == (200, ["", "", ""])
    assert len(ocr.seen) == 3
    assert {event.data["page"] for event in log if event.type == "progress"} == {1, None}
    assert [event.seq for event in log] == list(range(before["seq"] + 1, view["seq"] + 1))
    shares = [event.data["progress"] for event in log if event.type == "progress"]
    assert shares == sorted(shares)
    assert problem(refused)[:2] == (409, "finished")


async def test_the_result_of_before_stays_where_a_retry_is_cancelled(opened: Open, board: Board) -> None:
    async with opened(pdf_dpi=72) as client:
        async with working(board, Ocr(Invalid("not this one")), Inpaint()):
            path, _ = await done(client, await sent(client))
        before = await client.get(f"{path}/result")
        await client.post(f"{path}/retry")
        assert (await client.post(f"{path}/cancel")).json()["status"] == "cancelled"
        after = await client.get(f"{path}/result")
    assert (after.status_code, after.content, after.headers["etag"]) == (200, before.content, before.headers["etag"])
