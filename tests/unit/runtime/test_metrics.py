"""Metrics: queues and states, by names that cannot grow without end."""

from __future__ import annotations

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
    lane.close()


def test_two_services_in_one_process_do_not_mix() -> None:
    one, other = Metrics("one"), Metrics("other")
    one.requests.labels("GET", "/", 200).inc()
    assert b"http_requests_total{" in one.text()
    assert b"http_requests_total{" not in other.text()
