"""The console of the DeepSeek-OCR server's wire: sign in, hand a document in, follow it, fetch what was read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ocr_service.app import make_app
from ocr_service.settings import OcrSettings
from tests.browser.conftest import Open
from tests.browser.test_looks import fits, serious
from tests.wires import dark
from tests.wires.serving import Live

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}


@pytest.fixture
def reader() -> Iterator[dark.GatedReader]:
    """Return an engine that waits until a test lets it go on."""
    made = dark.GatedReader()
    yield made
    made.let(1000)


@pytest.fixture
def console(tmp_path: Path, reader: dark.GatedReader) -> Iterator[Live[Any]]:
    """Start an ocr-service with a password and a key."""
    settings = OcrSettings(
        data=tmp_path, lanes=1, slots=1, pdf_dpi=72, app_console_password="open sesame", app_api_key="sk_ann"
    )
    live = Live[Any](make_app(settings, lambda *_, **__: reader), settings)
    live.start()
    live.until_ready()
    yield live
    reader.let(1000)
    live.stop()


def _sign_in(page: Page, password: str) -> None:
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def _send(page: Page, *files: tuple[str, bytes], pages: str = "") -> None:
    chosen: Any = [{"name": name, "mimeType": "application/pdf", "buffer": data} for name, data in files]
    page.get_by_label("PDFs or pictures").set_input_files(chosen)
    page.get_by_label("Pages").fill(pages)
    page.get_by_role("button", name="Read").click()


def test_a_document_goes_in_and_its_text_comes_out(
    opened: Open, console: Live[Any], reader: dark.GatedReader, wrong: list[str]
) -> None:
    page = opened(console)
    assert serious(page) == []
    _sign_in(page, "open barley")
    expect(page.get_by_role("alert")).to_have_text("this is not the password")
    _sign_in(page, "open sesame")
    expect(page.get_by_role("status")).to_contain_text("ok, 0 waiting")
    wrong.clear()  # the browser tells of both 401
    _send(page, ("<b>one</b>.pdf", dark.pdf(3)), ("two.pdf", dark.pdf(1)), pages="1")
    row = page.get_by_role("row").filter(has_text="<b>one</b>.pdf")
    expect(row).to_contain_text("processing")
    expect(page.get_by_role("row").filter(has_text="two.pdf")).to_contain_text("queued")
    page.get_by_role("button", name="Cancel two.pdf").click()
    expect(page.get_by_role("row").filter(has_text="two.pdf")).to_contain_text("canceled")
    reader.let(10)
    expect(row).to_contain_text("100 %")
    assert serious(page) == []
    with page.expect_download() as coming:
        page.get_by_role("button", name="Markdown of <b>one</b>.pdf").click()
    assert Path(coming.value.path()).read_text() == "EXIT\n"
    page.get_by_role("button", name="Delete <b>one</b>.pdf").click()
    expect(row).to_be_hidden()
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    wrong.clear()


def test_what_is_refused_is_said_and_a_phone_shows_all(opened: Open, console: Live[Any], wrong: list[str]) -> None:
    page = opened(console, **PHONE)
    _sign_in(page, "open sesame")
    _send(page, ("broken.pdf", b"%PDF-1.7"))
    expect(page.get_by_role("alert")).to_contain_text("file: ")
    _send(page, ("a-document-with-a-name-that-is-longer-than-a-phone-is-wide-by-far.pdf", dark.pdf(2)), pages="9")
    expect(page.get_by_role("alert")).to_contain_text("page_ranges: ")
    _send(page, ("a-document-with-a-name-that-is-longer-than-a-phone-is-wide-by-far.pdf", dark.pdf(2)))
    expect(page.get_by_role("row").filter(has_text="longer-than-a-phone")).to_be_visible()
    assert fits(page)
    wrong.clear()
