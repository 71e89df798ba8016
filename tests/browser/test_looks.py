"""On a phone, in the dark, and for those who do not see: the page as it looks."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.bench import box, choose, edit, erased, standing
from tests.browser.conftest import Open

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LEAST_TARGET_PX = 24
_SMALL = """(least) => [...document.querySelectorAll("a, button, input, select, summary, label")]
  .filter((node) => node.checkVisibility() && !node.closest(".unseen, .skip"))
  .map((node) => [node.closest("label") ?? node, node])
  .filter(([target]) => {
    const {width, height} = target.getBoundingClientRect();
    return width > 0 && (width < least || height < least);
  })
  .map(([, node]) => node.outerHTML.slice(0, 100))"""
_GROUND = "() => getComputedStyle(document.body).backgroundColor"
DARK, LIGHT = "rgb(16, 22, 22)", "rgb(246, 247, 247)"


def serious(page: Page) -> list[str]:
    """Return what axe finds serious or critical."""
    found = Axe().run(page).response["violations"]
    bad = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    return [f"{violation['id']}: {[node['html'][:150] for node in violation['nodes']]}" for violation in bad]


def fits(page: Page) -> bool:
    return bool(page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened: Open, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    page.get_by_text("Options", exact=True).click()
    assert serious(page) == []
    erased(page)
    assert serious(page) == []
    edit(page)
    box(page, "SALE").click()
    assert serious(page) == []
    page.get_by_role("button", name="Keyboard").click()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete this picture").click()
    assert serious(page) == []


def test_a_server_that_is_away_is_told_of_until_it_is_back(opened: Open, wrong: list[str]) -> None:
    page = opened()
    told = page.get_by_text("The server does not answer.")
    page.route("**/api/v1/events*", lambda route: route.abort())
    page.reload()
    expect(told).to_be_visible()
    page.unroute("**/api/v1/events*")
    expect(told).to_be_hidden()
    wrong.clear()  # the browser itself writes of what it could not load


def test_a_phone_shows_all_of_it_and_a_finger_finds_each_target(opened: Open) -> None:
    page = opened(**PHONE)
    choose(page, "a picture with a name that is much longer than a phone is wide.png", "two.png")
    expect(standing(page, "two.png")).to_have_text("Done")
    assert fits(page)
    assert page.evaluate(_SMALL, LEAST_TARGET_PX) == []
    page.locator(".job a").first.tap()
    expect(page.get_by_role("img", name="After")).to_be_visible()
    assert fits(page)
    page.get_by_role("radio", name="Edit").check()
    box(page, "SALE").tap()
    expect(box(page, "SALE")).not_to_be_checked()
    assert fits(page)
    assert page.evaluate(_SMALL, LEAST_TARGET_PX) == []
    page.get_by_role("link", name="Back to all pictures").tap()
    expect(page.get_by_role("button", name="Add pictures")).to_be_visible()


def test_the_theme_is_the_systems_until_one_is_chosen_and_that_is_kept(opened: Open) -> None:
    page = opened(color_scheme="dark")
    assert page.evaluate(_GROUND) == DARK
    button = page.get_by_role("button", name="Theme")
    button.click()
    assert page.evaluate(_GROUND) == LIGHT
    page.reload()
    expect(button).to_have_accessible_name("Theme: light")
    assert page.evaluate(_GROUND) == LIGHT
    page.emulate_media(color_scheme="light")
    button.click()
    assert page.evaluate(_GROUND) == DARK
    button.click()
    assert page.evaluate(_GROUND) == LIGHT
