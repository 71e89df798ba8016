"""The board: wake-ups, followers, and files that belong to a job."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Expired, IdConflict, NotFound, QueueFull, StoreBusy
from cleanplate.runtime import board as runtime_board
from cleanplate.runtime.access import Caller, Scope
from cleanplate.runtime.board import Board, Wakeups
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import Change, NewJob, State
from cleanplate.runtime.store.sql import SqlStore
from tests.unit.runtime.conftest import Jobs, until
from tests.unit.runtime.test_jobs import UNSAFE


def test_only_listeners_of_the_topic_are_woken() -> None:
    wakeups = Wakeups()
    with wakeups.listen("a") as one, wakeups.listen("a") as two, wakeups.listen("b") as other:
        wakeups.notify("a")
        assert (one.is_set(), two.is_set(), other.is_set()) == (True, True, False)


def test_a_listener_that_left_is_forgotten() -> None:
    wakeups = Wakeups()
    with wakeups.listen("a"), wakeups.listen("a") as two:
        pass
    wakeups.notify("a")
    assert (two.is_set(), wakeups._listeners) == (False, {})


def test_a_topic_without_listeners_is_no_error() -> None:
    Wakeups().notify("a")


async def test_a_wake_up_before_the_wait_is_not_lost(tmp_path: Path) -> None:
    board = Board("test", SqlStore(f"sqlite:///{tmp_path}/jobs.db"), JobFiles(str(tmp_path)), poll_s=60)
    with board.wakeups.listen("a") as wakeup:
        board.wakeups.notify("a")
        async with asyncio.timeout(5):
            await board.wait(wakeup)
    board.close()


async def test_a_follower_is_woken_long_before_its_poll(tmp_path: Path) -> None:
    board = Jobs("test", SqlStore(f"sqlite:///{tmp_path}/jobs.db"), JobFiles(str(tmp_path)), poll_s=60)
    await board.add()
    follower = asyncio.create_task(everything(board))
    await board.record("a", Change("note"))
    await board.cancel("a")
    async with asyncio.timeout(5):
        assert [event.type for event in await follower] == ["queued", "note", "cancelled"]
    board.close()


async def test_no_event_waits_for_the_poll_whenever_a_follower_comes(tmp_path: Path) -> None:
    board = Jobs("test", SqlStore(f"sqlite:///{tmp_path}/jobs.db"), JobFiles(str(tmp_path)), poll_s=600)
    await board.add()
    followers = []
    for number in range(100):
        followers.append(asyncio.create_task(everything(board)))
        await board.record("a", Change("note", {"number": number}))
    await board.cancel("a")
    async with asyncio.timeout(60):
        logs = await asyncio.gather(*followers)
    assert [[event.seq for event in log] for log in logs] == [list(range(1, 103))] * 100
    board.close()


async def test_what_another_process_did_is_seen_by_the_poll(board: Jobs) -> None:
    await board.add()
    follower = asyncio.create_task(everything(board))
    await board.call(board.store.record, "a", Change("cancelled", state=State.CANCELLED))
    async with asyncio.timeout(5):
        assert [event.type for event in await follower] == ["queued", "cancelled"]


async def test_a_follower_waits_while_the_store_is_away(board: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    look, of_all, asked = board.store.look, board.store.events_of_all, list[str]()

    def away(name: str, call: Any) -> Any:
        def called(*args: Any) -> Any:
            asked.append(name)
            if asked.count(name) == 1:
                raise StoreBusy
            return call(*args)

        return called

    monkeypatch.setattr(board.store, "look", away("one", look))
    monkeypatch.setattr(board.store, "events_of_all", away("all", of_all))
    await board.add()
    await board.cancel("a")
    async with asyncio.timeout(5):
        assert [event.type for event in await everything(board)] == ["queued", "cancelled"]
        async for event in board.follow_all(None, 0):
            assert event.type == "queued"
            break
    assert asked == ["one", "one", "all", "all"]


async def test_whoever_waits_for_the_end_does_not_look_at_what_comes_before(
    board: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, looks = board.store.get, list[str]()

    def counted(job_id: str) -> Any:
        looks.append(job_id)
        return get(job_id)

    await board.claimed()
    monkeypatch.setattr(board.store, "get", counted)
    monkeypatch.setattr(board, "_poll_s", 60.0)
    ending = asyncio.create_task(board.ended("a"))
    await until(lambda: bool(looks))
    for done in (0.1, 0.2, 0.3):
        await board.record("a", Change("progress", progress=done))
    await board.end(State.SUCCEEDED)
    assert (await ending).state is State.SUCCEEDED
    assert looks == ["a", "a"]


async def test_the_end_is_waited_for_while_the_store_is_away(board: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    get, away = board.store.get, [True]

    def sometimes(job_id: str) -> Any:
        if away:
            away.pop()
            raise StoreBusy
        return get(job_id)

    await board.add()
    await board.end(State.CANCELLED)
    monkeypatch.setattr(board.store, "get", sometimes)
    async with asyncio.timeout(5):
        assert (await board.ended("a")).state is State.CANCELLED


async def everything(board: Board, after: int = 0) -> list[Event]:
    return [event async for event in board.follow("a", after)]


async def test_a_follower_that_leaves_is_forgotten(board: Jobs) -> None:
    await board.add()
    follower = asyncio.create_task(everything(board))
    await until(lambda: bool(board.wakeups._listeners))
    follower.cancel()
    await asyncio.wait([follower])
    assert board.wakeups._listeners == {}


async def test_a_cursor_past_the_end_of_an_ended_job_ends_at_once(board: Jobs) -> None:
    await board.add()
    await board.cancel("a")
    assert await everything(board, after=99) == []


async def test_the_log_of_all_jobs_shows_the_owners_only(board: Jobs) -> None:
    for job_id, owner in (("a", "me"), ("b", "you"), ("c", "me")):
        await board.add(job_id, owner)
    seen = []
    async for event in board.follow_all("me", 0):
        seen.append(event.job_id)
        if len(seen) == 2:
            break
    assert seen == ["a", "c"]


async def test_what_is_logged_in_a_pause_comes_with_one_look(board: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    over, looks, look = asyncio.Event(), list[Any](), board.store.events_of_all

    def counted(*asked: Any) -> list[Event]:
        looks.append(asked)
        return look(*asked)

    monkeypatch.setattr(asyncio, "sleep", lambda _: over.wait())
    monkeypatch.setattr(board.store, "events_of_all", counted)
    events = board.follow_all(None, 0, pause_s=1.0)
    await board.add("a")
    assert (await anext(events)).job_id == "a"
    following = asyncio.ensure_future(anext(events))
    for job_id in ("b", "c"):
        await board.add(job_id)
    over.set()
    assert [(await following).job_id, (await anext(events)).job_id] == ["b", "c"]
    assert len(looks) == 2
    await events.aclose()  # type: ignore[attr-defined]


async def test_who_runs_jobs_does_not_stand_in_line_with_clients(board: Jobs) -> None:
    over = threading.Event()
    waiting = [asyncio.create_task(board.call(over.wait, 10)) for _ in range(20)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await board.call_for_work(board.store.claimable, "test", 10) == []
    over.set()
    assert all(await asyncio.gather(*waiting))


async def test_another_owners_job_is_not_there(board: Jobs) -> None:
    await board.add(owner="me")
    assert (await board.get("a", "me")).owner == "me"
    assert (await board.get("a")).owner == "me"
    for other in ("you", ""):
        with pytest.raises(NotFound):
            await board.get("a", other)


async def test_a_name_that_no_job_can_have_is_not_there(board: Jobs) -> None:
    for job_id in UNSAFE:
        with pytest.raises(NotFound):
            await board.get(job_id)


def request(digest: str = "digest", owner: str = "") -> NewJob:
    return NewJob("a", "test", {}, digest, owner)


async def test_files_of_a_job_are_kept_when_someone_repeats_its_id(board: Jobs) -> None:
    await board.submit(request(owner="me"), {"image": b"mine"})
    for other in (request(owner="you"), request("other"), request("other", "you")):
        with pytest.raises(IdConflict):
            await board.submit(other, {"image": b"mine"})
    assert await board.call(board.files.get, "a", "digest.image") == b"mine"
    assert board.files.usage()[0][1] == len(b"mine")


async def test_files_of_a_refused_job_are_removed(board: Jobs) -> None:
    board.queue_limit = 0
    with pytest.raises(QueueFull):
        await board.submit(request(), {"image": b"mine"})
    assert board.files.usage() == []


async def test_the_sweep_keeps_what_is_new_or_not_ended(board: Jobs) -> None:
    await board.submit(request(), {"image": b"mine"})
    assert await board.sweep(0, limit_bytes=1) == 0
    assert not await board.forget("a")
    await board.cancel("a")
    assert await board.sweep(0, limit_bytes=1) == 0  # its files may be those of a submit under way
    assert await board.sweep(time.time() + 1, limit_bytes=1) == 1
    assert board.files.usage() == []


async def test_two_sweeps_at_once_do_not_hinder_each_other(board: Jobs) -> None:
    for number in range(10):
        await board.submit(NewJob(f"job{number}", "test", {}, "d"), {"image": b"mine"})
        await board.cancel(f"job{number}")
    at = time.time() + 1
    await asyncio.gather(board.sweep(at, 0), board.sweep(at, 0))
    assert board.files.usage() == []


async def test_the_oldest_go_until_the_files_fit_and_each_is_measured_once(
    board: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_board, "FETCH_GRACE_S", -1.0)
    for number in range(4):
        await board.submit(NewJob(f"job{number}", "test", {}, "d"), {"image": b"12345"})
    for number in range(3):
        await board.cancel(f"job{number}")
    assert await board.sweep(0, limit_bytes=15) == 0
    monkeypatch.setattr(board.files, "total", lambda _: pytest.fail("it was measured before"))
    monkeypatch.setattr(board.files, "usage", lambda: pytest.fail("all files were looked at again"))
    assert await board.sweep(0, limit_bytes=9) == 2
    for gone in ("job0", "job1"):
        with pytest.raises(Expired):
            await board.get(gone)
    assert (await board.get("job2")).files_bytes == 5
    assert (await board.get("job3")).state is State.QUEUED  # it counts for nothing, and stays
    assert await board.sweep(0, limit_bytes=1) == 1


async def test_an_admin_sees_everybodys_jobs(board: Jobs) -> None:
    admin, reader = Caller("admin", [Scope.ADMIN]), Caller("reader", [Scope.READ, Scope.SUBMIT])
    await board.add(owner="me")
    assert (await board.get("a", admin)).owner == "me"
    with pytest.raises(NotFound):
        await board.get("a", reader)
    events = board.follow_all(admin, 0)
    assert (await anext(events)).job_id == "a"
    await events.aclose()  # type: ignore[attr-defined]
