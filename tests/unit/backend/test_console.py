"""The page at `/`: who gets it, with which headers, and that all of it is there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from backend.routes.console import PAGE, ConsoleRoutes, prefers_html, read_files
from cleanplate.runtime.board import Board
from cleanplate.runtime.web import answer, as_problem

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.fixture
async def client(board: Board) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.add_exception_handler(Exception, lambda _, error: answer(as_problem(error)))
    app.include_router(ConsoleRoutes(board).router)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0", False),
        ("text/html;q=much", False),
        ("TEXT/HTML; charset=utf-8; q=0.3", True),
    ],
)
def test_html_is_for_those_who_name_it(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html


async def test_a_browser_gets_the_page_and_others_json(client: httpx.AsyncClient) -> None:
    page, told = await client.get("/", headers={"Accept": BROWSER}), await client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert told.json()["jobs"] == "/api/v1/jobs"
    assert page.headers["vary"] == told.headers["vary"] == "Accept"


async def test_nothing_but_its_own_origin_may_run_in_the_page(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/", headers={"Accept": BROWSER})).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


async def test_a_file_is_sent_once_and_then_known(client: httpx.AsyncClient) -> None:
    first = await client.get("/console/canvas/editor.js")
    again = await client.get("/console/canvas/editor.js", headers={"If-None-Match": first.headers["etag"]})
    assert first.headers["content-type"].startswith("text/javascript")
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["nothing.js", "../app.py", "%2e%2e/app.py", "canvas", ""])
async def test_only_files_of_the_page_are_sent(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/console/{path}")).status_code == 404


def test_every_file_that_the_page_names_is_there() -> None:
    files = {name: file.data.decode() for name, file in read_files().items()}
    named = set(re.findall(r'(?:src|href)="console/([^"#]+)', files[PAGE]))
    for name, text in files.items():
        folder = f"{name.rpartition('/')[0]}/".lstrip("/")
        named |= {_joined(folder, path) for path in re.findall(r'from "(\.[^"]+)"', text)}
    assert named - set(files) == set()
    assert set(files) - named == {PAGE}
    icons = set(re.findall(r'id="(\w+)"', files["icons.svg"]))
    assert set(re.findall(r"icons\.svg#(\w+)", files[PAGE])) <= icons


def test_the_page_has_no_script_and_no_style_in_it() -> None:
    page = read_files()[PAGE].data.decode()
    assert re.findall(r"<style|<script(?![^>]*src=)|\sstyle=|\son\w+=", page) == []


def _joined(folder: str, path: str) -> str:
    while path.startswith(("./", "../")):
        if path.startswith("../"):
            folder = re.sub(r"[^/]+/$", "", folder)
        path = path.partition("/")[2]
    return folder + path
