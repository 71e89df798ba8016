"""Metrics: queues and states, by names that cannot grow without end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cleanplate.contract.problems import StoreBusy
from cleanplate.runtime.jobs import State
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.metrics import Metrics
from tests.unit.runtime.conftest import Jobs


async def test_every_state_of_every_board_and_every_lane_is_shown(board: Jobs) -> None:
    await board.add()
    await board.claimed("b")
    lane = Lane("engine")
    metrics = Metrics("backend")
    metrics.watch(lambda: [lane], [board])
    text = (await board.call(metrics.text)).decode()
    assert 'service_info{service="backend"} 1.0' in text
    assert 'lane_waiting{lane="engine"} 0.0' in text
    for state, number in ((State.QUEUED, 1), (State.RUNNING, 1), (State.SUCCEEDED, 0), (State.FAILED, 0)):
        assert f'jobs{{kind="test",state="{state.value}"}} {number}.0' in text
    assert 'jobs_queue_limit{kind="test"} 1000.0' in text
    assert 'jobs_oldest_waiting_seconds{kind="test"} 0.' in text
    lane.close()


def test_where_the_data_is_kept_the_room_is_shown(tmp_path: Path) -> None:
    metrics = Metrics("backend")
    metrics.watch(list, [], tmp_path)
    text = metrics.text().decode()
    assert float(re.findall(r"^disk_free_bytes (\S+)", text, re.MULTILINE)[0]) > 0
    assert float(re.findall(r"^process_resident_memory_bytes (\S+)", text, re.MULTILINE)[0]) > 0


async def test_the_rest_is_shown_while_the_store_is_away(board: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(kind: str, owner: str | None = None) -> dict[State, int]:
        raise StoreBusy("it is away")

    monkeypatch.setattr(board.store, "counts", away)
    metrics = Metrics("backend")
    metrics.watch(list, [board])
    assert b"service_info" in await board.call(metrics.text)


def test_two_services_in_one_process_do_not_mix() -> None:
    one, other = Metrics("one"), Metrics("other")
    one.requests.labels("GET", "/", 200).inc()
    assert b"http_requests_total{" in one.text()
    assert b"http_requests_total{" not in other.text()
