"""The console in Debian's Chromium, on a backend behind a real port whose two services are small classes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from backend import relay, workers
from backend.app import make_app
from backend.pipeline import Pipeline
from backend.settings import BackendSettings
from tests.fakes.services import LIMITS, Inpaint, Ocr
from tests.wires.serving import Live

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 15_000

Backend = Live[BackendSettings]
Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing; on Debian: apt-get install --yes --no-install-recommends chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="package")
def services() -> tuple[Ocr, Inpaint]:
    return Ocr(), Inpaint()


@pytest.fixture(scope="package")
def backend(tmp_path_factory: pytest.TempPathFactory, services: tuple[Ocr, Inpaint]) -> Iterator[Backend]:
    with serving(tmp_path_factory.mktemp("backend"), services) as live:
        yield live


@pytest.fixture(autouse=True)
def _nobody_has_left_jobs(backend: Backend) -> None:
    for job in backend.get("/api/v1/jobs?limit=200").json()["jobs"]:
        backend.http.delete(f"/api/v1/jobs/{job['job_id']}")


@contextmanager
def serving(data: Path, services: tuple[Ocr, Inpaint], **more: Any) -> Iterator[Backend]:
    """Let a backend answer, with these services in place of the real ones."""

    def pipeline(*_: Any) -> Pipeline:
        return Pipeline(*services, LIMITS, 5)

    def follow(client: Inpaint, task_id: str, after: int, patience_s: float) -> AsyncIterator[dict[str, Any]]:
        return client.follow(task_id, after)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(workers, "make_pipeline", pipeline)
        patched.setattr(relay, "follow", follow)
        live = Live(make_app(made := BackendSettings(data=data, **more)), made)
        live.start()
        live.until_ready()
        yield live
        live.stop()


@pytest.fixture
def wrong() -> list[str]:
    """Return what the pages complained of and what they asked of others; what is left of it fails the test."""
    return []


@pytest.fixture
def opened(browser: Browser, backend: Backend, wrong: list[str]) -> Iterator[Open]:
    """Open the console in a browser of its own."""
    contexts: list[BrowserContext] = []

    def open_page(at: Backend | None = None, **how: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "accept_downloads": True, **how})
        contexts.append(context)
        page = context.new_page()
        url = (at or backend).url

        def asked(request: Request) -> None:
            if not request.url.startswith((url, "blob:", "data:")):
                wrong.append(f"asked {request.url}")

        page.on("request", asked)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def page(opened: Open) -> Page:
    return opened()
