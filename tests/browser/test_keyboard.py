"""Everything is reached and done with the keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.bench import box, edit, erased, regions, rerun
from tests.browser.conftest import Backend

_FOCUSED = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return "";
  const {action, region, opens} = node.dataset;
  const [name, kind] = ["name", "class"].map((each) => node.getAttribute(each));
  return action || region || opens || node.id || name || kind || node.tagName;
}"""
LONGEST_ROUND = 80


def tabbed(page: Page) -> list[str]:
    """Return what Tab goes to until it leaves the page or comes back to its begin."""
    reached: list[str] = []
    for _ in range(LONGEST_ROUND):
        page.keyboard.press("Tab")
        name: str = page.evaluate(_FOCUSED)
        if name in ("", "skip") and reached:
            return reached
        reached.append(name)
    raise AssertionError(f"Tab stays in {reached}")


def arrow_to(page: Page, text: str, *arrows: str) -> None:
    for arrow in arrows:
        page.keyboard.press(arrow)
    expect(box(page, text)).to_be_focused()


def test_tab_goes_to_every_tool_and_out_again(page: Page) -> None:
    erased(page)
    edit(page)
    page.get_by_role("link", name="Skip to the picture").focus()
    reached = tabbed(page)
    wanted = {
        "keys", "theme", "drop", "zip", "remove", "download", "view", "tool", "mask", "smaller", "fit", "larger",
        "viewport", "S", "all", "none", "rerun",
    }  # fmt: skip
    assert wanted - set(reached) == set()


def test_arrows_go_from_box_to_box_and_space_switches(page: Page) -> None:
    erased(page)
    edit(page)
    box(page, "SALE").focus()
    arrow_to(page, "ONLY", "ArrowDown")
    arrow_to(page, "TODAY", "ArrowRight")
    page.keyboard.press("Space")
    expect(box(page, "TODAY")).not_to_be_checked()
    page.keyboard.press("Enter")
    expect(box(page, "TODAY")).to_be_checked()
    page.keyboard.press("Delete")
    expect(page.locator(".region")).to_have_count(2)
    expect(box(page, "ONLY")).to_be_focused()
    page.keyboard.press("Control+z")
    expect(page.locator(".region")).to_have_count(3)


def test_a_new_box_is_made_moved_and_sized_by_keys(page: Page, backend: Backend) -> None:
    erased(page)
    edit(page)
    box(page, "SALE").focus()
    page.keyboard.press("n")
    expect(page.locator(".region")).to_have_count(4)
    for key in ("Alt+ArrowRight", "Alt+ArrowRight", "Alt+ArrowDown", "Shift+ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    rerun(page)
    made = regions(backend, page.url.rpartition("/")[2])[-1]["box"]
    assert made == {"x": 164, "y": 137, "width": 82, "height": 28}


def test_keys_change_tool_and_view_but_not_while_something_is_chosen(page: Page) -> None:
    erased(page)
    edit(page)
    box(page, "SALE").focus()
    page.keyboard.press("r")
    expect(page.get_by_role("radio", name="Brush")).to_be_checked()
    expect(page.get_by_label("Width")).to_be_visible()
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Show the mask")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("c")
    expect(page.get_by_role("img", name="After")).to_be_visible()
    slider = page.get_by_role("slider", name="How much of the picture")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "100 % before")
    page.get_by_role("button", name="Add pictures").focus()
    page.keyboard.press("c")
    expect(page.get_by_role("img", name="After")).to_be_visible()


def test_a_dialog_keeps_the_focus_and_escape_closes_it(page: Page) -> None:
    button = page.get_by_role("button", name="Keyboard")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
