"""The story of one job, told with services that are small classes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from backend import relay
from backend.artifacts import RESULT
from cleanplate.contract.messages import BoxModel, DetectedRegion, Detection
from cleanplate.contract.problems import Expired, Invalid, NotFound
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, Job, State
from tests.fakes import services
from tests.fakes.services import ended, working


def picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, "PNG")
    return file.getvalue()


def region(name: str, score: float = 0.9, height: float = 10) -> DetectedRegion:
    corners = [(0.0, 0.0), (20.0, 0.0), (20.0, height), (0.0, height)]
    box = BoxModel(x=0, y=0, width=20, height=height)
    return DetectedRegion(id=name, polygon=corners, box=box, text=name, score=score, angle=0)


class Ocr:
    """Finds what it was given, and counts how often it was asked."""

    def __init__(self, *regions: DetectedRegion):
        self.regions = list(regions)
        self.calls = 0

    async def patiently(self, call: Any, on_retry: Any) -> Any:
        return await call()

    async def detect(self, image: bytes, params: dict[str, Any]) -> Detection:
        self.calls += 1
        return Detection(width=40, height=30, engine="fake", model="fake", regions=self.regions)


class Inpaint:
    """Ends its tasks with the messages it was given, one list per task."""

    url = "http://nowhere"

    def __init__(self, *ends: dict[str, Any]):
        self.ends = list(ends)
        self.tasks: list[str] = []
        self.told: list[list[str]] = []
        self.cancelled: list[str] = []
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def patiently(self, call: Any, on_retry: Any) -> Any:
        return await call()

    async def mask(self, image: bytes, regions: Sequence[DetectedRegion], params: dict[str, Any]) -> bytes:
        return b"mask"

    async def submit(self, image: bytes, regions: Sequence[DetectedRegion], params: Any, task_id: str) -> None:
        self.tasks.append(task_id)
        self.told.append([found.id for found in regions])
        self.begun.set()

    async def result(self, task_id: str) -> bytes:
        return f"picture of {task_id}".encode()

    async def cancel(self, task_id: str) -> None:
        self.cancelled.append(task_id)
        self.ended.set()


def progress(seq: int, share: float) -> dict[str, Any]:
    told = {"message": "step", "current_region": 0, "total_regions": 1}
    return {"type": "progress_update", "seq": seq, "overall_progress": share * 100, **told}


def done(seq: int = 9) -> dict[str, Any]:
    return {"type": "task_completed", "seq": seq, "result": {"regions": [{"id": "a", "strategy": "plane"}]}}


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the relay give what the fake service ends its tasks with."""

    async def follow(client: Inpaint, task_id: str, after: int, patience_s: float) -> AsyncIterator[dict[str, Any]]:
        if client.ends[0].get("type") == "gone":
            client.ends.pop(0)
            raise NotFound("no such task")
        if client.ends[0].get("type") == "never":
            await asyncio.sleep(60)
        yield progress(1, 0.5)
        yield client.ends.pop(0)

    monkeypatch.setattr(relay, "follow", follow)


async def submit(board: Board, **options: Any) -> Job:
    return await services.submit(board, picture(), **{"verify": False, **options})


@pytest.mark.usefixtures("messages")
async def test_a_job_goes_through_its_steps_and_keeps_its_files(board: Board) -> None:
    ocr, inpaint = Ocr(region("a")), Inpaint(done())
    job = await submit(board)
    async with working(board, ocr, inpaint):
        job = await ended(board, job)
    assert job.state is State.SUCCEEDED
    assert job.result is not None
    assert job.result["regions"] == [{"id": "a", "strategy": "plane", "clean": None}]
    assert board.files.get(job.id, RESULT) == f"picture of {inpaint.tasks[0]}".encode()
    stages = [event.data.get("stage") for event in board.store.events(job.id, 0, 99) if event.type == "progress"]
    assert stages == ["detecting", "masking", "inpainting", "inpainting", "finalizing"]


@pytest.mark.usefixtures("messages")
async def test_text_that_is_not_wanted_is_left(board: Board) -> None:
    inpaint = Inpaint(done())
    job = await submit(board, min_score=0.5, min_height=8)
    async with working(board, Ocr(region("a"), region("faint", score=0.3), region("tiny", height=4)), inpaint):
        await ended(board, job)
    assert inpaint.told == [["a"]]


async def test_a_picture_without_text_comes_back_as_it_was(board: Board) -> None:
    inpaint = Inpaint()
    job = await submit(board)
    async with working(board, Ocr(), inpaint):
        job = await ended(board, job)
    assert job.state is State.SUCCEEDED
    assert inpaint.tasks == []
    assert Image.open(BytesIO(board.files.get(job.id, RESULT))).getpixel((0, 0)) == (255, 0, 0)


async def test_a_dry_run_repaints_nothing(board: Board) -> None:
    inpaint = Inpaint()
    job = await submit(board, dry_run=True)
    async with working(board, Ocr(region("a")), inpaint):
        job = await ended(board, job)
    assert (job.state, inpaint.tasks) == (State.SUCCEEDED, [])
    assert not board.files.exists(job.id, RESULT)


@pytest.mark.usefixtures("messages")
async def test_a_task_that_is_gone_or_failed_for_the_moment_is_begun_anew(board: Board) -> None:
    failed = {"type": "task_failed", "seq": 3, "error_message": "no memory", "retryable": True}
    inpaint = Inpaint({"type": "gone"}, failed, done())
    job = await submit(board)
    async with working(board, Ocr(region("a")), inpaint):
        job = await ended(board, job)
    assert job.state is State.SUCCEEDED
    assert inpaint.tasks == [f"{job.id}-1", f"{job.id}-2", f"{job.id}-3"]


@pytest.mark.usefixtures("messages")
async def test_a_task_whose_picture_was_removed_is_begun_anew(board: Board) -> None:
    class Forgetful(Inpaint):
        async def result(self, task_id: str) -> bytes:
            if len(self.tasks) == 1:
                raise Expired
            return await super().result(task_id)

    inpaint = Forgetful(done(), done())
    job = await submit(board)
    async with working(board, Ocr(region("a")), inpaint):
        job = await ended(board, job)
    assert job.state is State.SUCCEEDED
    assert inpaint.tasks == [f"{job.id}-1", f"{job.id}-2"]


@pytest.mark.usefixtures("messages")
async def test_a_task_that_fails_for_good_fails_the_job_with_its_reason(board: Board) -> None:
    failed = {"type": "task_failed", "seq": 3, "error_message": "region 0 is outside", "retryable": False}
    job = await submit(board)
    async with working(board, Ocr(region("a")), Inpaint(failed)):
        job = await ended(board, job)
    assert job.state is State.FAILED
    assert job.error is not None
    assert "region 0 is outside" in job.error["detail"]
    assert not job.error["retryable"]


@pytest.mark.usefixtures("messages")
async def test_a_stopped_job_goes_on_with_the_same_task_and_without_ocr(board: Board) -> None:
    ocr, inpaint = Ocr(region("a")), Inpaint({"type": "never"})
    job = await submit(board)
    async with working(board, ocr, inpaint):
        await inpaint.begun.wait()
    assert inpaint.cancelled == []
    inpaint.ends = [done()]
    async with working(board, ocr, inpaint):
        job = await ended(board, job)
    assert (job.state, ocr.calls) == (State.SUCCEEDED, 1)
    assert set(inpaint.tasks) == {f"{job.id}-1"}


@pytest.mark.usefixtures("messages")
async def test_cancelling_the_job_cancels_its_task(board: Board) -> None:
    inpaint = Inpaint({"type": "never"})
    job = await submit(board)
    async with working(board, Ocr(region("a")), inpaint):
        await inpaint.begun.wait()
        await board.cancel(job.id)
        async with asyncio.timeout(5):
            await inpaint.ended.wait()
    assert inpaint.cancelled == inpaint.tasks


@pytest.mark.usefixtures("messages")
async def test_a_retried_job_begins_after_the_last_step_that_was_done(board: Board) -> None:
    class Broken(Inpaint):
        async def mask(self, image: bytes, regions: Sequence[DetectedRegion], params: dict[str, Any]) -> bytes:
            raise Invalid("no")

    ocr = Ocr(region("a"))
    job = await submit(board)
    async with working(board, ocr, Broken()):
        job = await ended(board, job)
    assert job.state is State.FAILED
    await board.record(job.id, Change("retried", state=State.QUEUED))
    async with working(board, ocr, Inpaint(done())):
        job = await ended(board, job)
    assert (job.state, ocr.calls) == (State.SUCCEEDED, 1)
