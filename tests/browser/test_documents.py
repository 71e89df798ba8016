"""A document is one picture on the list, with pages on the bench."""

from __future__ import annotations

from io import BytesIO

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.bench import box, edit, hand_over, rerun, standing
from tests.browser.conftest import Backend
from tests.fakes.services import LINES, SIZE, drawn


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
