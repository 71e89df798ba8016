"""A document as one job: its pages are erased one after the other, and bound again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from backend.artifacts import INPUT, RESULT
from backend.sheets import reopened
from cleanplate.contract.messages import Detection, Event
from cleanplate.contract.problems import Invalid
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, Job, State
from tests.fakes import papers
from tests.fakes.bombs import pdf_with_bomb
from tests.fakes.papers import everything_in, frames_of, rendered, text_of
from tests.fakes.services import Inpaint, Ocr, down, drawn, ended, pixels, submit, working

WHITE = pixels(drawn())


pytestmark = pytest.mark.usefixtures("services_at_hand")


class Picky(Inpaint):
    """Has tasks that it does not take: those about one of these pages."""

    def __init__(self, *refused: int):
        super().__init__()
        self.refused = refused

    async def submit(self, image: bytes, regions: Sequence[Any], params: dict[str, Any], task_id: str) -> None:
        if int(task_id.split("-")[1]) in self.refused:
            raise Invalid("this picture is not liked")
        await super().submit(image, regions, params, task_id)


def events(board: Board, job: Job) -> list[Event]:
    return board.store.events(job.id, 0, 999)


def result(board: Board, job: Job) -> bytes:
    assert job.state is State.SUCCEEDED, job.error
    return board.files.get(job.id, RESULT)


def statuses(job: Job) -> list[str]:
    assert job.result is not None, job.error
    return [page["status"] for page in job.result["pages"]]


async def erased(board: Board, document: bytes, ocr: Ocr, inpaint: Inpaint, **options: Any) -> Job:
    job = await submit(board, document, **options)
    async with working(board, ocr, inpaint, page_s=2.0):
        return await ended(board, job)


async def test_the_text_of_a_pdf_is_erased_and_pages_without_any_stay(board: Board) -> None:
    before = papers.pdf(["SALE"], [], ["TODAY", "ONLY"])
    job = await erased(board, before, Ocr(), Inpaint())
    after = result(board, job)
    assert statuses(job) == ["erased", "untouched", "erased"]
    assert all(np.array_equal(page, WHITE) for page in rendered(after))
    assert [text.split() for text in text_of(before)] == [["SALE"], [], ["TODAY", "ONLY"]]
    assert text_of(after) == ["", "", ""]
    assert not any(word in everything_in(after) for word in (b"SALE", b"TODAY", b"ONLY"))
    assert job.result is not None
    assert [page["regions_found"] for page in job.result["pages"]] == [1, 0, 2]
    assert (job.result["residual_regions"], job.result["failed_pages"]) == ([], [])


async def test_the_text_of_a_tiff_is_erased_and_its_pages_keep_size_and_resolution(board: Board) -> None:
    job = await erased(board, papers.tiff(["SALE"], [], dpi=(300, 300)), Ocr(), Inpaint())
    pages = frames_of(result(board, job))
    assert statuses(job) == ["erased", "untouched"]
    assert [np.array_equal(page, WHITE) for page in pages] == [True, True]


async def test_a_document_without_text_comes_back_as_it_was_sent(board: Board) -> None:
    before = papers.pdf([], [])
    assert result(board, await erased(board, before, Ocr(), Inpaint())) == before


async def test_a_scan_comes_back_as_a_jpeg_where_the_format_shall_be_the_same(board: Board) -> None:
    noise = np.random.default_rng(0).integers(0, 256, WHITE.shape, np.uint8)
    before = papers.scanned(noise, kinds=["DCTDecode"], lines=["SALE"])
    made = [await erased(board, before, Ocr(), Inpaint(), **more) for more in ({}, {"output_format": "same"})]
    lossless, same = (result(board, job) for job in made)
    assert b"/DCTDecode" not in lossless
    assert b"/DCTDecode" in same
    assert len(same) < len(lossless)


async def test_only_the_pages_that_are_wanted_are_looked_at(board: Board) -> None:
    ocr = Ocr()
    job = await erased(board, papers.pdf(["SALE"], ["ONLY"], ["TODAY"]), ocr, Inpaint(), pages="2", verify=False)
    assert text_of(result(board, job)) == ["SALE", "", "TODAY"]
    assert len(ocr.seen) == 1
    assert job.result is not None
    assert [page["page"] for page in job.result["pages"]] == [2]


async def test_a_dry_run_finds_the_text_and_the_masks_of_every_page(board: Board) -> None:
    job = await erased(board, papers.pdf(["SALE"], [], ["ONLY"]), Ocr(), Inpaint(), dry_run=True)
    assert statuses(job) == ["found", "untouched", "found"]
    assert not board.files.exists(job.id, RESULT)
    assert board.files.exists(job.id, "page-1-mask.png")
    assert board.files.exists(job.id, "page-3-regions.json")


async def test_while_a_page_is_repainted_the_next_is_found_and_no_other(board: Board) -> None:
    inpaint, ocr = Inpaint(), Ocr()
    inpaint.stuck = "-1-1"
    job = await submit(board, papers.pdf(["SALE"], ["ONLY"], ["TODAY"]))
    async with asyncio.timeout(20), working(board, ocr, inpaint):
        async for event in board.follow(job.id):
            if event.data.get("stage") == "detecting" and event.data["page"] == 2:
                break
        await inpaint.begun.wait()
        assert len(ocr.seen) == 2
        assert not board.files.exists(job.id, f"page-3-{INPUT}")
        await board.cancel(job.id)
        await inpaint.ended.wait()
    assert inpaint.cancelled == [f"{job.id}-1-1"]


async def test_a_page_that_fails_stays_as_it_was_and_the_others_are_delivered(board: Board) -> None:
    before = papers.pdf(["SALE"], ["ONLY"], ["TODAY"])
    job = await erased(board, before, Ocr(), Picky(2))
    after = result(board, job)
    assert statuses(job) == ["erased", "failed", "erased"]
    assert job.result is not None
    assert job.result["failed_pages"] == [2]
    assert "not liked" in job.result["pages"][1]["reason"]["detail"]
    assert text_of(after) == ["", "ONLY", ""]
    assert np.array_equal(rendered(after)[1], rendered(before)[1])


async def test_a_wish_that_no_page_can_be_met_fails_the_document_at_once(board: Board) -> None:
    ocr = Ocr(Invalid("does not read tlh", field="languages"))
    job = await erased(board, papers.pdf(["SALE"], ["ONLY"], ["TODAY"]), ocr, Inpaint(), languages=["tlh"])
    assert job.state is State.FAILED
    assert job.error is not None
    assert (job.error["detail"], job.error["field"]) == ("does not read tlh", "languages")
    assert len(ocr.asked) <= 2


async def test_a_page_that_takes_the_renderer_forever_fails_alone(board: Board) -> None:
    job = await erased(board, pdf_with_bomb(), Ocr(), Inpaint())
    assert statuses(job) == ["failed", "untouched"]
    assert result(board, job) == pdf_with_bomb()


async def test_a_document_of_which_all_pages_fail_fails_and_a_retry_repeats_what_is_missing(board: Board) -> None:
    ocr = Ocr()
    job = await erased(board, papers.pdf(["SALE"], ["ONLY"]), ocr, Picky(1, 2))
    assert job.state is State.FAILED
    assert job.error is not None
    assert "no page could be erased; page 1: this picture is not liked" in job.error["detail"]
    await board.record(job.id, Change("retried", state=State.QUEUED, checkpoint=reopened(job.checkpoint)))
    async with working(board, ocr, Inpaint()):
        job = await ended(board, job)
    assert statuses(job) == ["erased", "erased"]
    assert len(ocr.seen) == 4  # each page once, and once more to verify


async def test_a_service_that_is_gone_fails_the_job_and_not_page_after_page(board: Board) -> None:
    gone = [down() for _ in range(9)]
    for problem in gone:
        problem.retry_after_s = 60  # longer than anybody is patient here
    ocr = Ocr(None, *gone)
    job = await erased(board, papers.pdf(["SALE"], [], [], []), ocr, Inpaint(), verify=False)
    assert job.state is State.FAILED
    assert len(ocr.answers) >= 6
    await board.record(job.id, Change("retried", state=State.QUEUED, checkpoint=reopened(job.checkpoint)))
    ocr.answers = []
    async with working(board, ocr, Inpaint()):
        assert statuses(await ended(board, job)) == ["erased", "untouched", "untouched", "untouched"]


@pytest.mark.parametrize("stopped_after", [2, 5, 8, 13, 19, 26, 32])
async def test_a_job_that_is_stopped_anywhere_goes_on_with_the_pages_that_are_missing(
    board: Board, stopped_after: int
) -> None:
    ocr, inpaint = Ocr(), Inpaint({"TODAY": 0.2})
    job = await submit(board, papers.tiff(["SALE"], [], ["TODAY", "ONLY"]))
    async with asyncio.timeout(20), working(board, ocr, inpaint):
        async for event in board.follow(job.id):
            if event.seq >= stopped_after:
                break
    async with working(board, ocr, inpaint):
        job = await ended(board, job)
    assert statuses(job) == ["erased", "untouched", "erased"]
    assert [np.array_equal(page, WHITE) for page in frames_of(result(board, job))] == [True] * 3
    orders = [task_id.removeprefix(job.id) for task_id in inpaint.orders]
    assert orders == ["-1-1", "-3-1", "-3-2"]
    progress = [event.data["progress"] for event in events(board, job) if event.type == "progress"]
    assert progress == sorted(set(progress))
    assert not board.files.exists(job.id, "page-3-painted-1")


async def test_every_event_says_how_far_its_page_is_and_how_long_the_rest_will_take(board: Board) -> None:
    job = await erased(board, papers.pdf(["SALE"], ["ONLY"]), Ocr(), Inpaint())
    told = [event.data for event in events(board, job) if event.type == "progress"]
    assert all({"stage", "pages", "unit", "units", "eta_s"} <= data.keys() for data in told)
    assert {(data["page"], data["pages"]) for data in told[:-1]} == {(1, 2), (2, 2)}
    stages = [data["stage"] for data in told if data.get("page") == 2]
    assert stages == ["detecting", "masking", *["inpainting"] * 3, "verifying", "finalizing"]
    assert job.result is not None
    assert told[-1]["stage"] == "finalizing"


class Late(Ocr):
    """Refuses one of its calls for good."""

    async def detect(self, image: bytes, params: dict[str, Any]) -> Detection:
        if len(self.seen) == 0:
            self.seen.append((0, 0))
            raise Invalid("no")
        return await super().detect(image, params)


async def test_a_page_that_cannot_be_read_fails_before_it_is_painted(board: Board) -> None:
    inpaint = Inpaint()
    job = await erased(board, papers.tiff(["SALE"], ["ONLY"]), Late(), inpaint)
    assert statuses(job) == ["failed", "erased"]
    assert [task_id.removeprefix(job.id) for task_id in inpaint.orders] == ["-2-1"]
