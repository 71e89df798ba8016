"""What people do with the console: add pictures, open one, point at places of it."""

from __future__ import annotations

import base64
import json
from typing import Any

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import Backend
from tests.fakes.services import LINES, drawn

ALL = drawn(*LINES)
_TRANSFER = """([files, type]) => {
  const transfer = new DataTransfer();
  for (const [name, kind, data] of files) {
    transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, {type: kind}));
  }
  const about = type === "paste" ? {clipboardData: transfer} : {dataTransfer: transfer};
  const make = type === "paste" ? ClipboardEvent : DragEvent;
  document.body.dispatchEvent(new make(type, {bubbles: true, cancelable: true, ...about}));
}"""


def hand_over(page: Page, how: str, *names: str, kind: str = "image/png", data: bytes = ALL) -> None:
    """Drop or paste files of these names."""
    text = base64.b64encode(data).decode()
    page.evaluate(_TRANSFER, [[[name, kind, text] for name in names], how])


def choose(page: Page, *names: str, data: bytes = ALL) -> None:
    """Choose files of these names with the button."""
    files = [FilePayload(name=name, mimeType="image/png", buffer=data) for name in names]
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Add pictures").click()
    choosing.value.set_files(files)


def erased(page: Page, name: str = "one.png") -> None:
    """Add a picture, which is then opened, and wait for its end."""
    choose(page, name)
    expect(standing(page, name)).to_have_text("Done")
    expect(page.get_by_role("img", name="After")).to_be_visible()


def standing(page: Page, name: str) -> Locator:
    """Return what the list says of a picture."""
    return page.locator(".job", has_text=name).locator(".how")


def edit(page: Page) -> None:
    """Go to the boxes."""
    page.get_by_role("radio", name="Edit").check()
    expect(page.locator(".region").first).to_be_visible()


def take(page: Page, tool: str) -> None:
    """Take a tool."""
    page.get_by_role("radio", name=tool, exact=True).check()


def box(page: Page, text: str) -> Locator:
    """Return the box of a text on the picture."""
    return page.locator("picture-editor").get_by_role("checkbox", name=text)


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where on the page a point of the picture is."""
    sheet = page.locator("picture-editor").bounding_box()
    assert sheet is not None
    scale = sheet["width"] / 400
    return sheet["x"] + x * scale, sheet["y"] + y * scale


def drag(page: Page, *points: tuple[float, float]) -> None:
    """Pull the mouse over the picture, with its button down."""
    page.mouse.move(*place(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*place(page, *point), steps=5)
    page.mouse.up()


def rerun(page: Page) -> str:
    """Erase again; return the id of the new job when it has ended."""
    before = page.url
    page.get_by_role("button", name="Erase again").click()
    page.wait_for_url(lambda url: url != before)
    expect(page.get_by_role("img", name="After")).to_be_visible()
    return page.url.rpartition("/")[2]


def regions(backend: Backend, job_id: str) -> list[dict[str, Any]]:
    """Return what the server has of a job's regions."""
    found: list[dict[str, Any]] = json.loads(backend.get(f"/api/v1/jobs/{job_id}/regions").content)["regions"]
    return found
