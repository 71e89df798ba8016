"""A PDF and a TIFF through the three real services: their text is gone, and the rest is as it was."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import requests
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image

from backend.cli.services import Services
from tests.e2e.jobs import PATIENCE_S, check_log, submit
from tests.fakes.papers import everything_in, frames_of, rendered, saved, text_of

SIZE = 420, 300
TITLE, PRICE = "CLEARANCE SALE", "HALF PRICE TODAY"

pytestmark = pytest.mark.timeout(300)


def document(*pages: str | None) -> bytes:
    """Return a PDF with a page for each line of text, on a plain background; None: a page without text."""
    made = Pdf.new()
    for index, line in enumerate(pages):
        page = made.add_blank_page(page_size=SIZE)
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name("/Helvetica-Bold"))
        page.obj.Resources = Dictionary(Font=Dictionary(F=made.make_indirect(font)))
        text = f"0.1 0.1 0.4 rg BT /F 32 Tf 40 130 Td ({line}) Tj ET" if line else ""
        page.obj.Contents = Stream(made, f"0.95 0.9 0.8 rg 0 0 {SIZE[0]} {SIZE[1]} re f {text}".encode())
        if index == 0:
            page.obj.Rotate = 90
            page.obj.CropBox = Array([10, 10, 410, 290])
    return saved(made)


def test_the_text_of_a_pdf_is_gone_from_the_file(services: Services) -> None:
    before = document(TITLE, None, PRICE)
    job = submit(services.urls["backend"], before)
    view = job.end()
    assert view["status"] == "succeeded", view["error"]
    assert [page["status"] for page in view["page_states"]] == ["erased", "untouched", "erased"]
    after = job.file("result")
    assert [text.strip() for text in text_of(before)] == [TITLE, "", PRICE]
    assert [text.strip() for text in text_of(after)] == ["", "", ""]
    assert all(line.encode() in everything_in(before) for line in (TITLE, PRICE))
    assert not any(line.encode() in everything_in(after) for line in (TITLE, PRICE))
    for old, new in zip(rendered(before), rendered(after), strict=True):
        assert old.shape == new.shape
        assert np.abs(new.astype(int) - new[5, 5]).max() <= 12  # nothing but the background is left
        assert np.abs(old[5, 5].astype(int) - new[5, 5]).max() <= 1
    log = job.log()
    check_log(log)
    assert {event["data"]["page"] for event in log if event["data"].get("stage") == "inpainting"} == {1, 3}
    preview = requests.get(job.path("/preview?page=1&format=jpeg"), timeout=PATIENCE_S)
    assert preview.headers["content-type"] == "image/jpeg"


def test_a_tiff_keeps_its_pages_and_its_resolution(services: Services) -> None:
    pages = rendered(document(None, PRICE))
    first, second = (Image.fromarray(page) for page in pages)
    file = BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=[second], dpi=(144, 144))
    job = submit(services.urls["backend"], file.getvalue(), verify=False)
    view = job.end()
    assert [page["status"] for page in view["page_states"]] == ["untouched", "erased"]
    result = job.file("result")
    shown = frames_of(result)
    assert np.array_equal(shown[0], pages[0])
    assert shown[1].shape == pages[1].shape
    assert np.abs(shown[1].astype(int) - shown[1][5, 5]).max() <= 12
    assert tuple(map(float, Image.open(BytesIO(result)).info["dpi"])) == (144, 144)
