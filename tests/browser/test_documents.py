"""A document is one picture on the list, with pages on the bench."""

from __future__ import annotations

import threading
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from cleanplate.contract.problems import Invalid
from cleanplate.runtime.images import decode
from tests.browser.bench import box, edit, hand_over, rerun, standing
from tests.browser.conftest import PATIENCE_MS, Backend, Open
from tests.browser.test_looks import LEAST_TARGET_PX, PHONE
from tests.fakes.services import LINES, SIZE, Inpaint, Ocr, drawn


def document(*pages: str) -> bytes:
    """Return a TIFF with one line on each page."""
    first, *rest = [Image.open(BytesIO(drawn(name))) for name in pages]
    file = BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=rest)
    return file.getvalue()


def test_pages_are_turned_edited_and_erased_again_together(page: Page, backend: Backend) -> None:
    hand_over(page, "drop", "book.tif", kind="image/tiff", data=document("SALE", "TODAY"))
    expect(standing(page, "book.tif")).to_have_text("Done")
    expect(page.get_by_role("img", name="After")).to_be_visible()
    edit(page)
    box(page, "SALE").click()
    page.get_by_role("button", name="Next page").click()
    box(page, "TODAY").click()
    rerun(page)
    expect(standing(page, "book.tif")).to_have_text("Done")
    result = Image.open(BytesIO(backend.get(f"/api/v1/jobs/{page.url.rpartition('/')[2]}/result").content))
    colors = []
    for number, place in enumerate([(40, 30), (340, 250)]):
        result.seek(number)
        assert result.size == SIZE
        colors.append(result.convert("RGB").getpixel(place))
    assert colors == [LINES["SALE"], LINES["TODAY"]]


def test_a_picture_that_no_browser_shows_has_a_preview(page: Page) -> None:
    hand_over(page, "drop", "scan.tif", kind="image/tiff", data=document("SALE"))
    expect(standing(page, "scan.tif")).to_have_text("Done")
    edit(page)
    expect(box(page, "SALE")).to_be_visible()
    assert (
        page.get_by_role("img", name="The picture as it was sent").evaluate("(image) => image.naturalWidth") == SIZE[0]
    )


def test_failed_pages_are_done_again_alone(page: Page, services: tuple[Ocr, Inpaint], backend: Backend) -> None:
    services[0].answers = [Invalid("not this one")]
    hand_over(page, "drop", "book.tif", kind="image/tiff", data=document("SALE", "TODAY"))
    expect(standing(page, "book.tif")).to_have_text("Done, 1 of 2 pages failed")
    told = page.locator("job-bench").get_by_role("alert")
    expect(told).to_contain_text("Page 1: not this one")
    page.get_by_role("button", name="Next page").click()
    expect(told).to_contain_text("Page 1 failed and stayed as sent.")
    looks = len(services[0].seen)
    told.get_by_role("button", name="Retry failed pages").click()
    expect(standing(page, "book.tif")).to_have_text("Done")
    expect(told).to_be_hidden()
    result = Image.open(BytesIO(backend.get(f"/api/v1/jobs/{page.url.rpartition('/')[2]}/result").content))
    assert result.convert("RGB").getpixel((40, 30)) == (255, 255, 255)
    assert len(services[0].seen) == looks + 2  # found, and looked at again


def test_a_page_is_not_asked_for_before_it_is_drawn(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = threading.Event()

    def waits(*page: Any, **how: Any) -> Any:
        assert drawing.wait(PATIENCE_MS / 1000)
        return decode(*page, **how)

    monkeypatch.setattr("backend.papers.decode", waits)
    page = opened()  # which fails the test if anything is refused
    hand_over(page, "drop", "book.tif", kind="image/tiff", data=document("SALE", "TODAY"))
    expect(page.get_by_role("heading", name="book.tif")).to_be_visible()
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".pages output")).to_have_text("Page 2 of 2")
    page.evaluate("fetch('api/v1/jobs').then((answer) => answer.text())")  # comes after all that was asked before
    drawing.set()
    expect(standing(page, "book.tif")).to_have_text("Done")
    expect(page.get_by_role("img", name="After")).to_be_visible()


def test_the_head_of_a_document_fits_on_a_phone(opened: Open) -> None:
    page = opened(**PHONE)
    hand_over(page, "drop", "book.tif", kind="image/tiff", data=document("SALE", "TODAY"))
    expect(page.get_by_role("img", name="After")).to_be_visible()
    name = page.get_by_role("heading", name="book.tif")
    for part in (name, *(page.get_by_role("button", name=name) for name in ("Next page", "Download"))):
        place = part.bounding_box()
        assert place is not None
        assert place["width"] >= LEAST_TARGET_PX
        assert place["x"] + place["width"] <= PHONE["viewport"]["width"]
