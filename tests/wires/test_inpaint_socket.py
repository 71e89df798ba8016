"""The progress WebSockets: what they tell, to whom, from where on, and what they do with nonsense."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.wires import pictures
from tests.wires.conftest import GatedInpainter, Inpaint, Serve
from tests.wires.pictures import order
from tests.wires.serving import PATIENCE_S

ALL = "/api/v1/ws/progress"
SUBMIT = "/api/v1/inpaint-regions-async"
UPDATE_FIELDS = {
    "type", "timestamp", "task_id", "session_id", "status", "stage", "progress", "overall_progress", "stage_progress",
    "message", "current_region", "total_regions", "elapsed_time", "estimated_remaining", "seq",
}  # fmt: skip
FAR_APART = [{"x": x, "y": y, "width": 30, "height": 10} for x in (20, 1020, 2020) for y in (30, 1030)]
WIDE = pictures.text(pictures.encoded(pictures.noise(2100, 1100)))
NONSENSE: dict[str, str | bytes] = {
    "no JSON": "{",
    "no object": "[1]",
    "nothing": "",
    "no type": "{}",
    "a type of another type": '{"type": {"a": []}}',
    "an unknown type": '{"type": "dance"}',
    "no id": '{"type": "subscribe_task"}',
    "an empty id": '{"type": "unsubscribe_task", "task_id": ""}',
    "a number for an id": '{"type": "get_task_status", "task_id": 5}',
    "an unknown task": '{"type": "cancel_task", "task_id": "nobody"}',
    "an unknown task to follow": '{"type": "subscribe_task", "task_id": "nobody"}',
    "half a character": '{"type": "get_task_status", "task_id": "\\ud800"}',
    "a zero byte": '{"type": "get_task_status", "task_id": "\\u0000"}',
    "a long id": json.dumps({"type": "get_task_status", "task_id": "a" * 50_000}),
    "too long": json.dumps({"type": "ping", "timestamp": "a" * 70_000}),
    "too deep": "[" * 30_000,
    "bytes": b'{"type": "ping"}',
}


def _submit(live: Inpaint, **more: Any) -> str:
    answer = live.post(SUBMIT, order(**more))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


def _of(messages: list[dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    return [message for message in messages if message["type"] == type_]


@pytest.fixture
def slow(serve: Serve, gated: GatedInpainter) -> Inpaint:
    return serve(gated, model="lama", slots=1)


def test_a_task_is_told_from_its_start_to_its_end(slow: Inpaint, gated: GatedInpainter) -> None:
    blocker = _submit(slow, image=WIDE)
    gated.begun()
    task = _submit(slow, image=WIDE, regions=FAR_APART, progress_interval=0)
    with slow.socket(f"{ALL}/{task}") as talk:
        hello, now = talk.hear(), talk.hear()
        gated.let(100)
        messages = talk.hear_until("task_completed")
    assert hello.keys() == {"type", "timestamp", "connection_id", "task_id"}
    assert (hello["type"], hello["task_id"]) == ("connection_established", task)
    assert (now["type"], now["status"], now["progress"]) == ("progress_update", "pending", 0)
    assert messages[0].keys() >= {"type", "timestamp", "task_id"}
    assert messages[0]["type"] == "task_started"
    for update in (now, *_of(messages, "progress_update")):
        assert update.keys() == UPDATE_FIELDS
        assert update["progress"] == update["overall_progress"]
        assert datetime.fromisoformat(update["timestamp"]).utcoffset() is not None
    assert all(message["task_id"] == task for message in messages)
    end = messages[-1]
    assert end.keys() == {"type", "timestamp", "task_id", "session_id", "result", "seq"}
    assert end["result"].keys() == {"processed_image_url", "processing_time", "regions_processed", "regions"}
    assert end["result"]["regions_processed"] == len(FAR_APART)
    assert all(region.keys() >= {"id", "strategy", "clean"} for region in end["result"]["regions"])
    assert slow.ended(blocker)["status"] == "completed"


def test_progress_is_one_message_for_each_unit_and_never_goes_back(slow: Inpaint, gated: GatedInpainter) -> None:
    gated.let(100)
    blocker = _submit(slow, image=WIDE, task_id="goes-first")
    with slow.socket(ALL) as talk:
        task = _submit(slow, image=WIDE, regions=FAR_APART, progress_interval=0)
        messages = [m for m in talk.hear_until("task_completed") if m.get("task_id") == task]
        while not _of(messages, "task_completed"):
            messages += [m for m in talk.hear_until("task_completed") if m.get("task_id") == task]
    updates = _of(messages, "progress_update")
    shares = [update["progress"] for update in updates]
    stages = [update["stage"] for update in updates]
    painted = [update for update in updates if update["stage"] == "inpainting"]
    assert shares == sorted(set(shares))
    assert list(dict.fromkeys(stages)) == ["preparing", "masking", "inpainting", "finalizing"]
    assert stages.count("preparing") == stages.count("masking") == stages.count("finalizing") == 1
    assert (shares[0], shares[1]) == (5, 15)
    assert painted[-1]["progress"] == 90
    assert len(painted) == len(FAR_APART)
    assert [update["current_region"] for update in painted] == list(range(1, len(FAR_APART) + 1))
    assert {update["total_regions"] for update in updates} == {len(FAR_APART)}
    assert [update["status"] for update in updates] == ["preparing", *["processing"] * (len(updates) - 1)]
    assert painted[-1]["stage_progress"] == 100
    seqs = [message["seq"] for message in messages]
    assert seqs == sorted(set(seqs))
    assert slow.ended(blocker)["status"] == "completed"


def test_a_late_client_is_told_at_once_how_it_stands(slow: Inpaint, gated: GatedInpainter) -> None:
    task = _submit(slow, image=WIDE, regions=FAR_APART)
    gated.begun()
    with slow.socket(f"{ALL}/{task}") as talk:
        _, now = talk.hear(), talk.hear()
        assert (now["type"], now["status"], now["progress"]) == ("progress_update", "processing", 15)
    gated.let(100)
    slow.ended(task)
    with slow.socket(f"{ALL}/{task}") as talk:
        _, end = talk.hear(), talk.hear()
        assert (end["type"], end["result"]["regions_processed"]) == ("task_completed", len(FAR_APART))


def test_after_gives_what_was_missed_and_nothing_else(inpaint: Inpaint) -> None:
    task = _submit(inpaint, progress_interval=0)
    inpaint.ended(task)
    with inpaint.socket(f"{ALL}/{task}?after=0") as talk:
        whole = talk.hear_until("task_completed")[1:]
    assert whole[0]["type"] == "task_started"
    middle = whole[len(whole) // 2]["seq"]
    with inpaint.socket(f"{ALL}/{task}?after={middle}") as talk:
        assert talk.hear_until("task_completed")[1:] == [message for message in whole if message["seq"] > middle]
    with inpaint.socket(f"{ALL}/{task}") as talk:
        talk.hear_until("task_completed")
        talk.say(type="subscribe_task", task_id=task, after=middle)
        told = talk.hear_until("task_completed")
    assert told[0]["type"] == "task_subscribed"
    assert told[1:] == [message for message in whole if message["seq"] > middle]


def test_all_tasks_can_be_heard_from_the_beginning(serve: Serve) -> None:
    live = serve()
    tasks = {_submit(live) for _ in range(3)}
    assert {live.ended(task)["status"] for task in tasks} == {"completed"}
    with live.socket(f"{ALL}?after=0") as talk:
        hello = talk.hear()
        ends = [talk.hear_until("task_completed")[-1] for _ in tasks]
    assert (hello["type"], hello["task_id"]) == ("connection_established", None)
    assert {end["task_id"] for end in ends} == tasks


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "1" * 40])
def test_an_after_that_is_no_number_is_refused(inpaint: Inpaint, after: str) -> None:
    with pytest.raises(InvalidStatus) as caught, inpaint.socket(f"{ALL}?after={after}"):
        pass
    assert 400 <= caught.value.response.status_code < 500


def test_the_picture_can_be_fetched_when_its_end_is_told(inpaint: Inpaint) -> None:
    for _ in range(5):
        with inpaint.socket(ALL) as talk:
            talk.hear()
            task = _submit(inpaint)
            end = talk.hear_until("task_completed")[-1]
            assert end["task_id"] == task
            assert httpx.get(end["result"]["processed_image_url"], trust_env=False).status_code == 200


def test_what_is_submitted_after_the_greeting_is_told_from_its_start(inpaint: Inpaint) -> None:
    for _ in range(10):
        with inpaint.socket(ALL) as talk:
            assert talk.hear()["type"] == "connection_established"
            task = _submit(inpaint)
            told = [message for message in talk.hear_until("task_completed") if message["task_id"] == task]
            assert told[0]["type"] == "task_started"


def test_a_task_can_be_followed_before_it_is_submitted(inpaint: Inpaint) -> None:
    with inpaint.socket(f"{ALL}/early-bird") as talk:
        assert [talk.hear()["type"], talk.hear()["type"]] == ["connection_established", "error"]
        _submit(inpaint, task_id="early-bird")
        assert talk.hear_until("task_completed")[-1]["task_id"] == "early-bird"


def test_a_client_can_subscribe_ask_and_unsubscribe(slow: Inpaint, gated: GatedInpainter) -> None:
    task = _submit(slow, image=WIDE)
    gated.begun()
    with slow.socket(f"{ALL}/{task}") as talk:
        talk.hear_until("progress_update")
        talk.say(type="unsubscribe_task", task_id=task)
        assert talk.hear() | {"timestamp": ""} == {"type": "task_unsubscribed", "task_id": task, "timestamp": ""}
        gated.let(100)
        slow.ended(task)
        talk.say(type="get_task_status", task_id=task)
        assert talk.hear()["type"] == "task_completed"
        talk.say(type="subscribe_task", task_id=task)
        assert [talk.hear()["type"], talk.hear()["type"]] == ["task_subscribed", "task_completed"]
        talk.say(type="ping")
        assert talk.hear()["type"] == "pong"


def test_a_running_task_is_asked_for_and_cancelled_over_the_socket(slow: Inpaint, gated: GatedInpainter) -> None:
    task = _submit(slow, image=WIDE, regions=FAR_APART)
    gated.begun()
    with slow.socket(f"{ALL}/{task}") as talk:
        talk.hear_until("progress_update")
        talk.say(type="get_task_status", task_id=task)
        now = talk.hear()
        assert now.keys() == UPDATE_FIELDS
        assert (now["status"], now["stage"]) == ("processing", "masking")
        talk.say(type="cancel_task", task_id=task)
        end = talk.hear()
        assert end.keys() == {"type", "timestamp", "task_id", "session_id", "seq"}
        assert end["type"] == "task_cancelled"
        talk.say(type="cancel_task", task_id=task)
        assert talk.hear()["type"] == "error"
    gated.let(100)
    assert slow.ended(_submit(slow, image=WIDE))["status"] == "completed"
    assert slow.get(f"/api/v1/task-status/{task}").json()["status"] == "cancelled"


def test_a_failure_says_why_and_whether_to_try_again(inpaint: Inpaint) -> None:
    cut = pictures.text(pictures.encoded(pictures.noise())[:9000])
    task = _submit(inpaint, image=cut)
    with inpaint.socket(f"{ALL}/{task}") as talk:
        end = talk.hear_until("task_failed")[-1]
    assert end.keys() == {"type", "timestamp", "task_id", "session_id", "error_message", "code", "retryable", "seq"}
    assert (end["code"], end["retryable"]) == ("malformed", False)
    assert "cut off" in end["error_message"]


@pytest.mark.parametrize("stamp", ["2026-01-01T00:00:00Z", 1767225600000, 0, 1.5])
def test_a_pong_has_the_ping_s_own_timestamp(inpaint: Inpaint, stamp: Any) -> None:
    with inpaint.socket(ALL) as talk:
        talk.hear()
        talk.say(type="ping", timestamp=stamp)
        assert talk.hear() == {"type": "pong", "timestamp": stamp}


@pytest.mark.parametrize("case", NONSENSE)
def test_nonsense_is_answered_and_the_connection_stays(inpaint: Inpaint, case: str) -> None:
    with inpaint.socket(ALL) as talk:
        talk.hear()
        talk.connection.send(NONSENSE[case])
        answer = talk.hear()
        assert answer.keys() == {"type", "timestamp", "error", "message"}
        assert answer["type"] == "error"
        assert answer["error"] == answer["message"]
        talk.say(type="ping")
        assert talk.hear()["type"] == "pong"


@pytest.mark.parametrize("after", ["1", -1, 1.5, True, 10**30, float("nan")])
def test_a_cursor_that_is_none_is_refused_and_the_connection_stays(inpaint: Inpaint, after: Any) -> None:
    task = _submit(inpaint)
    with inpaint.socket(f"{ALL}/{task}") as talk:
        talk.hear_until("task_completed")
        talk.say(type="subscribe_task", task_id=task, after=after)
        assert "after" in talk.hear()["error"]
        talk.say(type="ping")
        assert talk.hear()["type"] == "pong"


@pytest.mark.parametrize("name", ["nobody", "..", "%00", "a" * 2000, "%ED%A0%80", "%20"])
def test_an_unknown_task_in_the_address_is_said_so_and_the_connection_stays(inpaint: Inpaint, name: str) -> None:
    with inpaint.socket(f"{ALL}/{name}") as talk:
        assert [talk.hear()["type"], talk.hear()["type"]] == ["connection_established", "error"]
        talk.say(type="ping")
        assert talk.hear()["type"] == "pong"


def test_an_address_that_is_none_is_refused(inpaint: Inpaint) -> None:
    with pytest.raises(InvalidStatus) as caught, inpaint.socket(f"{ALL}/..%2F..%2Fetc"):
        pass
    assert 400 <= caught.value.response.status_code < 500


def test_without_enable_progress_only_start_and_end_are_told(inpaint: Inpaint) -> None:
    with inpaint.socket(ALL) as talk:
        talk.hear()
        _submit(inpaint, enable_progress=False)
        assert [message["type"] for message in talk.hear_until("task_completed")] == ["task_started", "task_completed"]


def test_within_the_interval_only_a_new_stage_is_told(slow: Inpaint, gated: GatedInpainter) -> None:
    gated.let(100)
    with slow.socket(ALL) as talk:
        talk.hear()
        _submit(slow, image=WIDE, regions=FAR_APART, progress_interval=3600)
        stages = [update["stage"] for update in _of(talk.hear_until("task_completed"), "progress_update")]
    assert stages == ["preparing", "masking", "inpainting", "finalizing"]


def test_one_client_s_leaving_does_not_disturb_another(slow: Inpaint, gated: GatedInpainter) -> None:
    task = _submit(slow, image=WIDE)
    gated.begun()
    with slow.socket(f"{ALL}/{task}") as staying:
        staying.hear_until("progress_update")
        with slow.socket(f"{ALL}/{task}") as leaving:
            leaving.hear_until("progress_update")
        gated.let(100)
        assert staying.hear_until("task_completed")


async def test_a_hundred_clients_hear_the_same_task(slow: Inpaint, gated: GatedInpainter) -> None:
    task = await asyncio.to_thread(_submit, slow, image=WIDE, regions=FAR_APART, progress_interval=0)
    await asyncio.to_thread(gated.begun)
    inside = asyncio.Barrier(101)

    async def client() -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = []
        async with connect(f"ws://{slow.address}{ALL}/{task}", proxy=None) as connection:
            while not heard or heard[-1]["type"] != "task_completed":
                heard.append(json.loads(await connection.recv()))
                if len(heard) == 2:
                    await inside.wait()
        return heard[2:]

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        clients = [group.create_task(client()) for _ in range(100)]
        await inside.wait()
        gated.let(100)
    heard = [done.result() for done in clients]
    assert all(messages == heard[0] for messages in heard)
    assert len(_of(heard[0], "progress_update")) == len(FAR_APART) + 1
