"""PDF pages from a process of its own: what comes out, what does not come back, and that nothing is left."""

from __future__ import annotations

import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from cleanplate.contract.problems import Malformed
from cleanplate.runtime.pdf import renderer as module
from cleanplate.runtime.pdf.renderer import PdfRenderer
from tests.fakes.bombs import pdf_with_bomb
from tests.fakes.pages import document, sheet

SHORT_S, LONG_S = 1.0, 60.0
Open = Callable[..., PdfRenderer]


Processes = queue.SimpleQueue[subprocess.Popen[bytes]]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """The processes that are begun."""
    seen, begun = Processes(), module._begun

    def begin(*limits: float) -> subprocess.Popen[bytes]:
        process = begun(*limits)
        seen.put(process)
        return process

    monkeypatch.setattr(module, "_begun", begin)
    return seen


@pytest.fixture
def opened(processes: Processes) -> Iterator[Open]:
    """Open a PDF; it is closed with the test, and leaves no process."""
    made: list[PdfRenderer] = []

    def open_(pdf: bytes, page_s: float = LONG_S, pixel_limit: int = 1_000_000, dpi: int = 72) -> PdfRenderer:
        made.append(PdfRenderer(pdf, dpi, page_s, pixel_limit))
        return made[-1]

    yield open_
    for renderer in made:
        renderer.close()
    while not processes.empty():
        assert processes.get().returncode is not None


def test_pages_come_in_any_order(opened: Open) -> None:
    renderer = opened(document(3))
    for index in (2, 0, 1):
        assert np.abs(renderer.picture(index).astype(int) - sheet(index + 1)).max() < 60


def test_a_page_that_takes_forever_is_given_up_and_the_next_is_rendered(opened: Open) -> None:
    renderer = opened(pdf_with_bomb(), SHORT_S)
    with pytest.raises(Malformed, match="page 1 of the PDF takes more time or memory") as caught:
        renderer.picture(0)
    assert caught.value.field == "file"
    assert renderer.picture(1).shape == (72, 72, 3)


def test_a_page_that_takes_too_much_memory_is_given_up(opened: Open) -> None:
    renderer = opened(document(1), pixel_limit=-260_000_000, dpi=1200)  # more than is left over from the libraries
    with pytest.raises(Malformed, match="takes more time or memory"):
        renderer.picture(0)


def test_a_text_that_takes_forever_is_given_up_and_the_next_page_is_rendered(opened: Open) -> None:
    renderer = opened(pdf_with_bomb(), SHORT_S)
    with pytest.raises(Malformed, match="page 1 of the PDF takes more time or memory"):
        renderer.text(0)
    assert renderer.text(1) is None
    assert renderer.picture(1).shape == (72, 72, 3)


def test_a_page_that_cannot_be_rendered_is_told_and_the_next_is_rendered(opened: Open) -> None:
    renderer = opened(document(2))
    with pytest.raises(Malformed, match="page 8 of the PDF is broken"):
        renderer.picture(7)
    assert renderer.picture(1).shape == (144, 144, 3)


def test_closing_does_not_wait_for_a_page(opened: Open, processes: Processes) -> None:
    renderer, caught = opened(pdf_with_bomb()), []

    def render() -> None:
        try:
            renderer.picture(0)
        except Malformed as problem:
            caught.append(problem)

    thread = threading.Thread(target=render)
    thread.start()
    process = processes.get(timeout=LONG_S)
    renderer.close()
    thread.join()
    assert (len(caught), process.returncode) == (1, -signal.SIGKILL)
