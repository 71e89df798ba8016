"""Pictures come in, are watched and go out again."""

from __future__ import annotations

import asyncio
import threading
import zipfile
from io import BytesIO
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.bench import ALL, choose, erased, hand_over, standing
from tests.browser.conftest import Backend, Open
from tests.fakes.services import TASK_EVENTS, Inpaint, Ocr

_WATCH = """() => {
  window.seen = [];
  const look = () => {
    const bar = document.querySelector("job-progress progress");
    if (bar && seen.at(-1) !== bar.value) seen.push(bar.value);
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def test_a_dropped_picture_is_erased_and_opened(page: Page) -> None:
    hand_over(page, "drop", "dropped.png")
    expect(standing(page, "dropped.png")).to_have_text("Done")
    expect(page.get_by_role("heading", name="dropped.png")).to_be_visible()
    expect(page.get_by_role("img", name="After")).to_be_visible()


def test_a_pasted_picture_is_erased(page: Page) -> None:
    hand_over(page, "paste", "image.png")
    expect(standing(page, "pasted-")).to_have_text("Done")


def test_what_is_no_picture_is_not_sent(page: Page) -> None:
    hand_over(page, "drop", "words.txt", kind="text/plain")
    expect(page.get_by_text("Pictures and PDF files can be added")).to_be_visible()
    expect(page.locator(".job")).to_have_count(0)


def test_a_picture_that_cannot_be_read_says_why_and_can_be_put_away(opened: Open, wrong: list[str]) -> None:
    page = opened()
    choose(page, "broken.png", data=b"\x89PNG\r\n\x1a\nno picture")
    row = page.locator(".job.wrong")
    expect(row).to_contain_text("broken.png")
    expect(row.locator(".what span")).not_to_be_empty()
    row.get_by_role("button", name="Do not send broken.png").click()
    expect(row).to_have_count(0)
    assert len(wrong) == 1  # the browser itself writes of an answer that is no success
    wrong.clear()


def test_languages_go_with_a_picture_and_what_is_none_is_marked(page: Page, backend: Backend) -> None:
    page.get_by_text("Options", exact=True).click()
    field = page.get_by_role("textbox", name="Languages")
    field.fill("no tag!")
    field.blur()
    expect(page.get_by_text("Language tags, such as en, ja")).to_be_visible()
    field.fill("en, ja")
    field.blur()
    expect(page.get_by_text("Language tags, such as en, ja")).to_be_hidden()
    erased(page)
    assert backend.get(f"/api/v1/jobs/{page.url.rpartition('/')[2]}").json()["options"]["languages"] == ["en", "ja"]


def test_progress_goes_up_to_the_end(page: Page, services: tuple[Ocr, Inpaint]) -> None:
    page.evaluate(_WATCH)
    services[1].turns = turns = threading.Semaphore(0)
    try:
        choose(page, "one.png")
        for step in range(1, TASK_EVENTS):
            turns.release()
            expect(page.locator("job-progress")).to_contain_text(f"step {step}")
    finally:
        services[1].turns = None
        turns.release(TASK_EVENTS)
    expect(standing(page, "one.png")).to_have_text("Done")
    seen = page.evaluate("() => window.seen")
    assert seen == sorted(seen)
    assert len(seen) > TASK_EVENTS
    expect(page.locator("job-progress")).to_be_hidden()


def test_while_its_text_is_looked_for_a_picture_says_so(page: Page, services: tuple[Ocr, Inpaint]) -> None:
    services[0].answers = [asyncio.Event()]  # it never comes
    choose(page, "long.png")
    expect(page.locator("region-list")).to_contain_text("Its text is still being looked for.")
    page.locator("job-progress").get_by_role("button", name="Cancel").click()
    expect(standing(page, "long.png")).to_have_text("Cancelled")
    expect(page.locator("region-list")).to_contain_text("Its text was not found.")


def test_a_job_at_work_says_what_it_does_and_can_be_cancelled(page: Page, services: tuple[Ocr, Inpaint]) -> None:
    services[1].stuck = "-1"
    try:
        choose(page, "long.png")
        bar = page.locator("job-progress")
        expect(bar).to_contain_text("Repainting")
        assert 30 <= bar.locator("progress").evaluate("(bar) => bar.value") < 100
        bar.get_by_role("button", name="Cancel").click()
        expect(standing(page, "long.png")).to_have_text("Cancelled")
    finally:
        services[1].stuck = None


def test_a_download_is_the_result_byte_by_byte(page: Page, backend: Backend) -> None:
    erased(page, "plate.png")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download").click()
    job_id = page.url.rpartition("/")[2]
    assert downloading.value.suggested_filename == "plate-clean.png"
    assert downloading.value.path().read_bytes() == backend.get(f"/api/v1/jobs/{job_id}/result").content


def test_what_was_dropped_together_is_one_zip(page: Page, tmp_path: Path) -> None:
    hand_over(page, "drop", "page 10.png", "page 2.png", "page 2.png", "übrig.png")
    for number in range(4):
        expect(page.locator(".how").nth(number)).to_have_text("Done")
    assert page.locator(".job strong").all_text_contents() == ["page 2.png", "page 2.png", "page 10.png", "übrig.png"]
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Zip (4)").click()
    with zipfile.ZipFile(BytesIO(downloading.value.path().read_bytes())) as archive:
        assert archive.testzip() is None
        names = ["page 2-clean.png", "page 2-clean-2.png", "page 10-clean.png", "übrig-clean.png"]
        assert archive.namelist() == names
        assert all(archive.read(name).startswith(b"\x89PNG") for name in names)


def test_history_survives_a_reload_and_a_deleted_picture_is_gone(page: Page, backend: Backend) -> None:
    erased(page, "kept.png")
    page.reload()
    expect(standing(page, "kept.png")).to_have_text("Done")
    expect(page.get_by_role("heading", name="kept.png")).to_be_visible()
    page.get_by_role("button", name="Delete this picture").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".job")).to_have_count(0)
    assert backend.get("/api/v1/jobs").json()["jobs"] == []


def test_a_job_of_somebody_else_appears_by_itself(page: Page, backend: Backend) -> None:
    expect(page.get_by_role("button", name="Add pictures")).to_be_visible()
    backend.post("/api/v1/jobs", files={"file": ("elsewhere.png", ALL)})
    expect(standing(page, "elsewhere.png")).to_have_text("Done")


def test_boxes_can_be_checked_before_anything_is_erased(page: Page) -> None:
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Let me check the boxes first").check()
    choose(page, "first.png")
    expect(standing(page, "first.png")).to_have_text("3 to check")
    expect(page.locator(".region")).to_have_count(3)
    page.get_by_role("button", name="Erase", exact=True).click()
    expect(standing(page, "first.png")).to_have_text("Done")
    expect(page.locator(".job")).to_have_count(1)
