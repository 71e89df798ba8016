"""Make docs/images/console.png with a backend that has no jobs yet: `tests/.venv/bin/python docs/screenshot.py URL`."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ("form.png", "poster.jpg", "comic.png")
SIZE = {"width": 1280, "height": 820}
COLORS = 192
PATIENCE_MS = 120_000


def shot(url: str) -> bytes:
    """Have the examples erased, and return the console with the comic's boxes as a PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(url)
        page.locator("#choose").set_input_files([ROOT / "examples" / name for name in PICTURES])
        for name in PICTURES:
            expect(page.locator(".job", has_text=name).locator(".how")).to_have_text("Done", timeout=PATIENCE_MS)
        page.get_by_role("link", name="comic.png").click()
        page.get_by_role("radio", name="Edit").check()
        page.locator("picture-editor").get_by_role("checkbox", name="TO BE CONTINUED").click()
        page.locator("picture-editor").get_by_role("checkbox", name="FWOOM").click(modifiers=["Shift"])
        page.mouse.move(0, 0)
        page.get_by_role("img", name="The picture as it was sent").evaluate("(image) => image.decode()")
        taken = page.screenshot()
        browser.close()
    return taken


def main(url: str) -> None:
    """Write the picture, with a palette."""
    picture = Image.open(BytesIO(shot(url))).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    picture.save(ROOT / "docs" / "images" / "console.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
