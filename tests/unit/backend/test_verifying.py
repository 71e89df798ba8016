"""What is looked at again, what is repainted, and what the result says of it; the services are small classes."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.artifacts import MASK, RESULT
from cleanplate.contract.messages import Event
from cleanplate.runtime.board import Board
from cleanplate.runtime.images import PictureLimits
from cleanplate.runtime.jobs import Change, Job, State
from tests.fakes.services import LINES, SIZE, Inpaint, Ocr, down, drawn, ended, pixels, submit, working

ALL = drawn(*LINES)
FOREVER = 99.0


pytestmark = pytest.mark.usefixtures("services_at_hand")


def events(board: Board, job: Job) -> list[Event]:
    return board.store.events(job.id, 0, 999)


def told(job: Job) -> tuple[dict[str, bool | None], list[str] | None]:
    """Return whether each region is clean, and which are left."""
    assert job.state is State.SUCCEEDED, job.error
    assert job.result is not None
    return {region["id"]: region["clean"] for region in job.result["regions"]}, job.result["residual_regions"]


def painted(inpaint: Inpaint) -> list[tuple[str, float | None]]:
    """Return per task the regions' ids and the dilation."""
    return [
        ("".join(region.id for region in regions), params.get("mask_dilation"))
        for _, regions, params in inpaint.orders.values()
    ]


async def erased(board: Board, ocr: Ocr, inpaint: Inpaint, **options: Any) -> Job:
    job = await submit(board, ALL, **options)
    async with working(board, ocr, inpaint):
        return await ended(board, job)


async def test_what_is_gone_at_once_is_looked_at_once(board: Board) -> None:
    ocr, inpaint = Ocr(), Inpaint()
    job = await erased(board, ocr, inpaint)
    assert told(job) == ({"S": True, "T": True, "O": True}, [])
    assert painted(inpaint) == [("STO", None)]
    assert len(ocr.seen) == 2
    stages = [event.data["stage"] for event in events(board, job) if event.type == "progress"]
    assert stages == ["detecting", "masking", *["inpainting"] * 3, "verifying", "finalizing"]


async def test_only_the_surroundings_of_what_was_erased_are_looked_at(board: Board) -> None:
    ocr = Ocr()
    job = await submit(board, drawn("ONLY"))
    async with working(board, ocr, Inpaint()):
        await ended(board, job)
    assert ocr.seen == [SIZE, (82, 48)]


async def test_what_is_still_readable_is_repainted_alone_with_a_larger_mask(board: Board) -> None:
    inpaint = Inpaint({"TODAY": 0.2})
    job = await erased(board, Ocr(), inpaint)
    assert told(job) == ({"S": True, "T": True, "O": True}, [])
    assert painted(inpaint) == [("STO", None), ("T", 0.35)]
    assert [params["mask_mode"] for _, _, params in inpaint.orders.values()] == ["auto", "polygon"]
    assert job.result is not None
    assert {region["id"]: region["strategy"] for region in job.result["regions"]} == {"S": "-1", "T": "-2", "O": "-1"}
    readable = [event.data["readable"] for event in events(board, job) if "readable" in event.data]
    assert readable == [1, 0]


async def test_the_mask_has_all_that_was_repainted_and_nothing_else_has_changed(board: Board) -> None:
    job = await erased(board, Ocr(), Inpaint({"TODAY": 0.2}))
    before, after = pixels(ALL), pixels(board.files.get(job.id, RESULT))
    mask = pixels(board.files.get(job.id, MASK))[:, :, 0] > 0
    assert np.array_equal(before[~mask], after[~mask])
    assert (after[mask] == 255).all()
    assert mask[233, 293]  # 7 px off the line's corner: 0.35 of 30 px, and more than the 3 px of the first mask
    assert mask[18, 18]  # likewise 2 px off a line that was clean at once


async def test_what_stays_readable_is_repainted_twice_and_listed(board: Board) -> None:
    inpaint = Inpaint({"TODAY": FOREVER, "ONLY": 0.2})
    job = await erased(board, Ocr(), inpaint)
    assert told(job) == ({"S": True, "T": False, "O": True}, ["T"])
    assert painted(inpaint) == [("STO", None), ("TO", 0.35), ("T", 0.6)]
    assert job.id + "-3" in inpaint.orders


async def test_a_job_that_is_not_to_be_verified_is_looked_at_only_once(board: Board) -> None:
    ocr = Ocr()
    job = await erased(board, ocr, Inpaint({"TODAY": FOREVER}), verify=False)
    assert told(job) == ({"S": None, "T": None, "O": None}, None)
    assert ocr.seen == [SIZE]
    assert "verifying" not in {event.data.get("stage") for event in events(board, job)}


async def test_a_dry_run_and_a_picture_without_text_are_not_looked_at_again(board: Board) -> None:
    ocr = Ocr()
    assert told(await erased(board, ocr, Inpaint(), dry_run=True))[1] is None
    job = await submit(board, drawn())
    async with working(board, ocr, Inpaint()):
        assert told(await ended(board, job)) == ({}, [])
    assert ocr.seen == [SIZE, SIZE]


@pytest.mark.parametrize(("sent", "wish", "kind"), [("PNG", "jpeg", "JPEG"), ("WEBP", "same", "WEBP")])
async def test_the_picture_is_lossless_between_rounds_and_in_its_own_format_at_the_end(
    board: Board, sent: str, wish: str, kind: str
) -> None:
    inpaint = Inpaint({"TODAY": 0.2})
    job = await submit(board, drawn(*LINES, format=sent), output_format=wish)
    async with working(board, Ocr(), inpaint):
        assert told(await ended(board, job))[1] == []
    assert {params["output_format"] for _, _, params in inpaint.orders.values()} == {"png"}
    assert Image.open(BytesIO(board.files.get(job.id, RESULT))).format == kind


async def test_only_the_result_is_kept_of_the_paintings(board: Board) -> None:
    job = await erased(board, Ocr(), Inpaint({"TODAY": 0.2}))
    assert not any(board.files.exists(job.id, f"painted-{number}") for number in (1, 2, 3))


async def test_a_painting_too_large_to_be_sent_again_is_told_as_it_is(board: Board) -> None:
    inpaint, sent = Inpaint({"TODAY": 0.2}), drawn(*LINES, format="WEBP")
    job = await submit(board, sent)
    async with working(board, Ocr(), inpaint, PictureLimits(len(sent), 0, 0)):
        job = await ended(board, job)
    assert len(board.files.get(job.id, RESULT)) > len(sent)
    assert told(job) == ({"S": True, "T": False, "O": True}, ["T"])
    assert painted(inpaint) == [("STO", None)]


@pytest.mark.parametrize("stopped_after", range(2, 16))
async def test_a_job_that_is_stopped_anywhere_goes_on_from_there(board: Board, stopped_after: int) -> None:
    ocr, inpaint = Ocr(), Inpaint({"TODAY": 0.2})
    job = await submit(board, ALL)
    async with asyncio.timeout(10), working(board, ocr, inpaint):
        async for event in board.follow(job.id):
            if event.seq >= stopped_after:
                break
    async with working(board, ocr, inpaint):
        job = await ended(board, job)
    assert told(job) == ({"S": True, "T": True, "O": True}, [])
    assert painted(inpaint) == [("STO", None), ("T", 0.35)]
    progress = [event.data["progress"] for event in events(board, job) if event.type == "progress"]
    assert progress == sorted(set(progress))
    assert not board.files.exists(job.id, "painted-1")


async def test_a_job_that_is_stopped_between_two_rounds_repeats_none_that_is_done(board: Board) -> None:
    looking = asyncio.Event()
    ocr, inpaint = Ocr(None, None, looking), Inpaint({"TODAY": 0.2})
    job = await submit(board, ALL)
    async with working(board, ocr, inpaint):
        await asyncio.wait_for(looking.wait(), 10)
    assert len(inpaint.orders) == 2
    async with working(board, ocr, inpaint):
        assert told(await ended(board, job))[1] == []
    assert len(inpaint.orders) == 2
    assert len(ocr.seen) == 3


async def test_an_ocr_service_that_is_down_for_a_moment_is_asked_again(board: Board) -> None:
    job = await erased(board, Ocr(None, down(), down()), Inpaint())
    assert told(job)[1] == []
    assert sum(event.type == "retrying" for event in events(board, job)) == 2


async def test_a_job_whose_ocr_service_is_gone_for_good_is_not_painted_anew_when_it_is_retried(board: Board) -> None:
    gone = down()
    gone.retry_after_s = 60  # longer than anybody is patient here
    ocr, inpaint = Ocr(None, gone), Inpaint()
    job = await erased(board, ocr, inpaint)
    assert job.state is State.FAILED
    await board.record(job.id, Change("retried", state=State.QUEUED))
    async with working(board, ocr, inpaint):
        assert told(await ended(board, job))[1] == []
    assert painted(inpaint) == [("STO", None)]


async def test_cancelling_a_job_cancels_its_second_task(board: Board) -> None:
    inpaint = Inpaint({"TODAY": 0.2})
    inpaint.stuck = "-2"
    job = await submit(board, ALL)
    async with asyncio.timeout(10), working(board, Ocr(), inpaint):
        await inpaint.begun.wait()
        await board.cancel(job.id)
        await inpaint.ended.wait()
    assert inpaint.cancelled == [f"{job.id}-2"]
