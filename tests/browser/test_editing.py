"""Boxes are switched, drawn, moved, pulled, painted and wiped; what the server then has is what was seen."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, Route, expect

from tests.browser.bench import box, drag, edit, erased, place, regions, rerun, take
from tests.browser.conftest import Backend
from tests.fakes.services import LINES, SIZE, pixels

Points = list[list[float]]


@pytest.fixture
def bench(page: Page) -> Page:
    """Return the console with a picture of three lines, and its boxes in sight."""
    erased(page)
    edit(page)
    return page


def job_id(page: Page) -> str:
    return page.url.rpartition("/")[2]


def covered(polygon: Points) -> np.ndarray:
    """Return (H, W) bool, what the polygon fills of the picture."""
    image = Image.new("1", SIZE)
    ImageDraw.Draw(image).polygon([(x - 0.5, y - 0.5) for x, y in polygon], fill=1)
    return np.array(image)


def drawn_last(backend: Backend, job: str) -> dict[str, Points]:
    last = regions(backend, job)[-1]
    assert last["mask_mode"] == "polygon"
    return last


def test_a_box_that_is_clicked_off_stays_in_the_picture(bench: Page, backend: Backend) -> None:
    box(bench, "SALE").click()
    expect(box(bench, "SALE")).not_to_be_checked()
    expect(bench.locator("region-list .count")).to_have_text("2 of 3")
    result = pixels(backend.get(f"/api/v1/jobs/{rerun(bench)}/result").content)
    assert tuple(result[30, 40]) == LINES["SALE"]
    assert tuple(result[250, 340]) == (255, 255, 255)


def test_the_list_switches_the_same_boxes(bench: Page) -> None:
    bench.locator("region-list").get_by_label("TODAY").uncheck()
    expect(box(bench, "TODAY")).not_to_be_checked()
    bench.get_by_role("button", name="None").click()
    expect(box(bench, "SALE")).not_to_be_checked()
    bench.get_by_role("button", name="All", exact=True).click()
    expect(box(bench, "TODAY")).to_be_checked()


def test_a_drawn_box_is_erased_as_it_was_drawn(bench: Page, backend: Backend) -> None:
    take(bench, "Box")
    drag(bench, (150, 100), (230, 160))
    expect(bench.locator(".region")).to_have_count(4)
    last = drawn_last(backend, rerun(bench))
    assert np.allclose(last["polygon"], [[150, 100], [230, 100], [230, 160], [150, 160]], atol=1.5)


def test_a_polygon_is_closed_at_its_first_corner(bench: Page, backend: Backend) -> None:
    take(bench, "Polygon")
    corners = [(150.0, 100.0), (230.0, 110.0), (190.0, 170.0)]
    for corner in [*corners, corners[0]]:
        bench.mouse.click(*place(bench, *corner))
    expect(bench.locator(".region")).to_have_count(4)
    assert np.allclose(drawn_last(backend, rerun(bench))["polygon"], corners, atol=1.5)


def test_a_box_is_moved_and_pulled_larger_without_being_switched(bench: Page, backend: Backend) -> None:
    drag(bench, (50, 30), (150, 130))
    expect(box(bench, "SALE")).to_be_checked()
    drag(bench, (180, 140), (200, 160))
    rerun(bench)
    moved = next(region for region in regions(backend, job_id(bench)) if region["text"] == "SALE")
    assert np.allclose([moved["box"][name] for name in ("x", "y", "width", "height")], [120, 120, 80, 40], atol=1.5)


def test_a_brush_stroke_covers_what_was_painted_and_not_what_it_goes_around(bench: Page, backend: Backend) -> None:
    take(bench, "Brush")
    bench.get_by_label("Width").fill("20")
    ring = [(150.0, 80.0), (250.0, 80.0), (250.0, 180.0), (150.0, 180.0), (150.0, 80.0)]
    drag(bench, *ring)
    expect(bench.locator(".region")).to_have_count(4)
    polygon = drawn_last(backend, rerun(bench))["polygon"]
    image = Image.new("1", SIZE)
    ImageDraw.Draw(image).line(ring, fill=1, width=20, joint="curve")
    painted, filled = np.array(image), covered(polygon)
    assert not filled[130, 200]
    assert (painted & filled).sum() > 0.97 * painted.sum()
    assert (filled & ~painted).sum() < 0.12 * painted.sum()


def test_what_the_rubber_wipes_is_no_longer_erased(bench: Page, backend: Backend) -> None:
    take(bench, "Rubber")
    bench.get_by_label("Width").fill("10")
    drag(bench, (340, 225), (340, 285))
    expect(bench.locator(".region")).to_have_count(4)
    rerun(bench)
    pieces = [covered(region["polygon"]) for region in regions(backend, job_id(bench)) if region["text"] == "TODAY"]
    together = np.logical_or.reduce(pieces)
    assert len(pieces) == 2
    assert not together[255, 340]
    assert together[255, 320]
    assert together[255, 360]


def test_steps_are_undone_and_done_again(bench: Page) -> None:
    box(bench, "SALE").click()
    take(bench, "Box")
    drag(bench, (150, 100), (230, 160))
    undo, redo = (bench.get_by_role("button", name=name) for name in ("Undo", "Redo"))
    undo.click()
    expect(bench.locator(".region")).to_have_count(3)
    undo.click()
    expect(box(bench, "SALE")).to_be_checked()
    expect(undo).to_be_disabled()
    redo.click()
    expect(box(bench, "SALE")).not_to_be_checked()


def test_versions_of_a_picture_are_one_entry_and_can_be_gone_back_to(bench: Page) -> None:
    first = job_id(bench)
    box(bench, "SALE").click()
    rerun(bench)
    expect(bench.locator(".job")).to_have_count(1)
    bench.get_by_label("Version").select_option(label="Version 1")
    bench.wait_for_url(f"**/{first}")
    edit(bench)
    expect(bench.locator("region-list .count")).to_have_text("2 of 3")


def test_the_mask_is_shown_over_the_picture(bench: Page) -> None:
    button = bench.get_by_role("button", name="Show the mask")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    mask = bench.locator("picture-editor .mask")
    expect(mask).to_be_visible()
    assert "blob:" in mask.evaluate("(mask) => getComputedStyle(mask).maskImage")


def test_the_slider_shows_as_much_of_before_as_it_is_pulled(page: Page) -> None:
    erased(page)
    slider = page.get_by_role("slider", name="How much of the picture")
    sheet = slider.bounding_box()
    assert sheet is not None
    page.mouse.move(sheet["x"] + sheet["width"] / 2, sheet["y"] + 50)
    page.mouse.down()
    page.mouse.move(sheet["x"] + sheet["width"] * 0.25, sheet["y"] + 50)
    page.mouse.up()
    clip = page.get_by_role("img", name="After").evaluate("(image) => getComputedStyle(image).clipPath")
    assert abs(float(clip.split()[-1].rstrip("%)")) - 25) <= 1
    left = page.get_by_role("img", name="Before").evaluate("(image) => image.naturalWidth")
    assert left == SIZE[0]


def test_zooming_enlarges_the_picture_and_fits_it_again(bench: Page) -> None:
    sheet = bench.locator("picture-editor")
    before = sheet.bounding_box()
    for _ in range(4):
        bench.get_by_role("button", name="Zoom in").click()
    grown = sheet.bounding_box()
    assert before is not None
    assert grown is not None
    assert grown["width"] > 2 * before["width"]
    bench.get_by_title("Fit (0)").click()
    fitted = sheet.bounding_box()
    assert fitted is not None
    assert fitted["width"] == before["width"]


def test_who_is_faster_than_the_server_is_not_sent_back_to_comparing(bench: Page) -> None:
    def edit_first(route: Route) -> None:
        bench.get_by_role("radio", name="Edit").check()
        route.continue_()

    bench.get_by_role("link", name="cleanplate").click()
    expect(bench.locator("job-bench")).to_be_hidden()
    bench.route("**/api/v1/jobs/*", edit_first)
    bench.get_by_role("link", name="one.png").click()
    expect(box(bench, "SALE")).to_be_visible()
    expect(bench.get_by_role("radio", name="Edit")).to_be_checked()
