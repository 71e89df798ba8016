"""Several files of one request, over HTTP: all of them are taken, or none."""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncGenerator
from io import BytesIO
from typing import Any

import httpx
import pytest

from backend.archives import NOTE, archive, safe_stem
from backend.artifacts import RESULT
from backend.batches import Batches, open_board
from backend.deliveries import Deliveries
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.jobs import Job, State
from tests.fakes import papers
from tests.fakes.services import Inpaint, Ocr, drawn, working
from tests.unit.backend.conftest import Open, problem

pytestmark = pytest.mark.usefixtures("services_at_hand")

FILES = ("a.png", drawn("SALE")), ("../a.png", drawn("ONLY")), ("b.tif", papers.tiff(["SALE"], []))
PLAIN = drawn()


async def sent(client: httpx.AsyncClient, *files: tuple[str, bytes], **more: Any) -> httpx.Response:
    options = {"options": json.dumps(more.pop("options", {}))}
    return await client.post("/api/v1/jobs", files=[("files", file) for file in files], data=options, **more)


async def archive_of(client: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    for job in answer.json()["jobs"]:
        await client.get(f"/api/v1/jobs/{job['job_id']}?wait=20")
    return await client.get(f"{answer.headers['location']}/result")


async def test_each_file_becomes_a_job_and_the_results_come_in_one_archive(opened: Open, board: Board) -> None:
    async with opened() as client:
        answer = await sent(client, *FILES)
        assert answer.status_code == 202, answer.text
        place, made = answer.headers["location"], [job["job_id"] for job in answer.json()["jobs"]]
        assert (await client.get(place)).json()["counts"]["queued"] == 3
        assert problem(await client.get(f"{place}/result"))[:2] == (409, "not_ready")
        async with working(board, Ocr(), Inpaint()):
            zipped = await archive_of(client, answer)
        listed = (await client.get(f"/api/v1/jobs?batch={answer.json()['batch_id']}")).json()["jobs"]
        view = (await client.get(place)).json()
        results = [(await client.get(f"/api/v1/jobs/{job}/result")).content for job in made]
    assert [job["job_id"] for job in listed] == made
    assert (view["ended"], view["counts"]["succeeded"]) == (True, 3)
    with zipfile.ZipFile(BytesIO(zipped.content)) as file:
        assert file.testzip() is None
        assert file.namelist() == ["a.png", "a-2.png", "b.tif"]
        assert [file.read(name) for name in file.namelist()] == results
        assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}


class _Removing(Deliveries):
    """Removes a job's files when so many pieces were read."""

    def __init__(self, board: Board, pieces: int):
        super().__init__(board)
        self.pieces_left, self.board = pieces, board

    async def pieces(self, job: Job, name: str, wanted: slice) -> AsyncGenerator[bytes]:
        for start in range(wanted.start, wanted.stop, 100):
            if self.pieces_left == 0:
                await self.board.forget(job.id)
            self.pieces_left -= 1
            async for piece in super().pieces(job, name, slice(start, min(start + 100, wanted.stop))):
                yield piece


@pytest.mark.parametrize("pieces", [0, 2])
async def test_what_is_removed_while_the_archive_is_made_is_told_in_it(opened: Open, board: Board, pieces: int) -> None:
    async with opened() as client, working(board, Ocr(), Inpaint()):
        answer = await sent(client, *FILES[:2])
        await archive_of(client, answer)
    jobs = [await board.get(job["job_id"]) for job in answer.json()["jobs"]]
    whole = board.files.get(jobs[1].id, RESULT)
    data = b"".join([piece async for piece in archive(jobs, _Removing(board, pieces))])
    with zipfile.ZipFile(BytesIO(data)) as file:
        assert file.testzip() is None
        assert file.namelist() == ["a.png", "a-2.png", NOTE]
        assert len(file.read("a.png")) == pieces * 100
        assert file.read("a-2.png") == whole
        assert f"a.png (job {jobs[0].id}) was removed" in file.read(NOTE).decode()
        assert "a-2.png" not in file.read(NOTE).decode()


async def test_one_bad_file_refuses_the_whole_batch_by_its_place(opened: Open, board: Board) -> None:
    async with opened() as client:
        answer = await sent(client, FILES[0], FILES[1], ("c.pdf", b"%PDF-1.7\nnothing"))
        assert problem(answer) == (400, "malformed", "files[2]")
        answer = await sent(client, *FILES, options={"pages": "2"})
        assert problem(answer) == (422, "invalid", "options.pages")
        assert (await client.get("/api/v1/jobs")).json()["jobs"] == []
    assert board.files.usage() == []


async def test_a_batch_that_is_too_large_is_refused(opened: Open, board: Board) -> None:
    async with opened(batch_limit=2) as client:
        assert problem(await sent(client, *FILES)) == (413, "too_large", "files")
    async with opened(key_quota=2) as client:
        assert problem(await sent(client, *FILES))[:2] == (429, "queue_full")
    board.queue_limit = 2
    async with opened() as client:
        assert problem(await sent(client, *FILES))[:2] == (429, "queue_full")
        assert problem(await client.post("/api/v1/erase", files=[("files", file) for file in FILES]))[2] == "files"
    assert board.files.usage() == []


async def test_a_batch_is_the_same_under_the_same_key(opened: Open, board: Board) -> None:
    key = {"Idempotency-Key": "k"}
    async with opened(key_quota=3) as client:
        answers = [(await sent(client, *FILES, headers=key)).json() for _ in range(2)]
        assert problem(await sent(client, *FILES[:2], headers=key))[:2] in [(409, "id_conflict"), (429, "queue_full")]
        made = [[job["job_id"] for job in answer["jobs"]] for answer in answers]
        assert answers[0]["batch_id"] == answers[1]["batch_id"]
        assert made[0] == made[1]
    assert {job_id for _, _, job_id in board.files.usage()} == set(made[0])


async def test_a_batch_belongs_to_who_sent_it_and_is_no_job(opened: Open) -> None:
    async with opened() as client:
        answer = await sent(client, *FILES[:2])
        place, stranger = answer.headers["location"], {"Authorization": "Bearer other"}
        for path in (place, f"{place}/result", f"/api/v1/jobs?batch={answer.json()['batch_id']}"):
            assert (await client.get(path, headers=stranger)).status_code == 404
        assert (await client.get(f"/api/v1/jobs/{answer.json()['batch_id']}")).status_code == 404
        assert (await client.get(f"/api/v1/batches/{answer.json()['jobs'][0]['job_id']}")).status_code == 404


async def test_what_was_cancelled_or_removed_is_not_waited_for(opened: Open, board: Board) -> None:
    async with opened() as client:
        answer = await sent(client, *FILES[:2], options={"ttl": 60})
        paths = [f"/api/v1/jobs/{job['job_id']}" for job in answer.json()["jobs"]]
        await client.post(f"{paths[0]}/cancel")
        await client.delete(paths[1])
        view = (await client.get(answer.headers["location"])).json()
        assert (view["ended"], view["counts"]["cancelled"], view["counts"]["removed"]) == (True, 1, 1)
        refused = await client.get(f"{answer.headers['location']}/result")
    assert problem(refused)[:2] == (409, "not_ready")


async def test_a_batch_ends_when_its_jobs_have_ended(opened: Open, board: Board) -> None:
    batch_board = open_board(board)
    batches = Batches(board, batch_board)
    async with opened() as client, working(board, Ocr(), Inpaint()):
        answer = await sent(client, ("a.png", PLAIN), ("b.png", PLAIN))
        await archive_of(client, answer)
        ender = LocalDispatcher(batch_board, batches)
        await ender.start()
        async for _ in batch_board.follow(answer.json()["batch_id"]):
            pass
        await ender.stop()
        batch = await batches.get(answer.json()["batch_id"], board.store.get(answer.json()["batch_id"]).owner)
    assert batch.state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("a.png", "a"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\x.tar.gz", "x.tar"),
        ("con.png", "_con"),
        ("..", "_"),
        ("", "_"),
        ("täg 1\n.png", "täg 1_"),
        (".hidden", "_hidden"),
        ("a" * 300, "a" * 120),
    ],
)
def test_names_in_an_archive_do_no_harm(given: str, safe: str) -> None:
    assert safe_stem(given) == safe
