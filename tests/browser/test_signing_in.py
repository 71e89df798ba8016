"""The console asks for what the server asks for: a password, or an API key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.bench import erased
from tests.browser.conftest import Backend, Open, serving
from tests.fakes.services import Inpaint, Ocr


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, services: tuple[Ocr, Inpaint]) -> Iterator[Backend]:
    with serving(tmp_path_factory.mktemp("locked"), services, console_password="open sesame") as live:
        yield live


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, services: tuple[Ocr, Inpaint]) -> Iterator[Backend]:
    with serving(tmp_path_factory.mktemp("keyed"), services, api_keys="the-key,another") as live:
        yield live


def sign_in(page: Page, what: str, given: str) -> None:
    page.get_by_role("dialog").get_by_label(what).fill(given)
    page.keyboard.press("Enter")


def test_the_password_lets_in_until_one_signs_out(opened: Open, locked: Backend, wrong: list[str]) -> None:
    page = opened(locked)
    sign_in(page, "Password", "open barley")
    expect(page.get_by_text("This is not the password.")).to_be_visible()
    sign_in(page, "Password", "open sesame")
    expect(page.get_by_role("dialog")).to_be_hidden()
    erased(page)
    page.reload()
    expect(page.locator(".how")).to_have_text("Done")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    expect(page.locator(".job")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    _only_refusals(wrong)


def test_who_guesses_is_told_when_to_try_again(opened: Open, locked: Backend, wrong: list[str]) -> None:
    page = opened(locked)
    for number in range(8):
        sign_in(page, "Password", f"guess {number}")
        expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Try again in")
    _only_refusals(wrong)


def test_an_api_key_lets_in_for_as_long_as_the_tab_is_open(opened: Open, keyed: Backend, wrong: list[str]) -> None:
    page = opened(keyed)
    sign_in(page, "API key", "no-key")
    expect(page.get_by_text("This is no key of this server.")).to_be_visible()
    sign_in(page, "API key", "the-key")
    erased(page)
    page.reload()
    expect(page.locator(".how")).to_have_text("Done")
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "API key", "another")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.locator(".job")).to_have_count(0)
    _only_refusals(wrong)


def _only_refusals(wrong: list[str]) -> None:
    """Take what the browser itself writes of each answer that is no success."""
    assert [line for line in wrong if "status of 401" not in line and "status of 429" not in line] == []
    wrong.clear()
