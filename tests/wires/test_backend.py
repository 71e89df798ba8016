"""The backend behind a real port, its two services away."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.app import make_app
from backend.settings import BackendSettings
from tests.fakes.services import drawn
from tests.wires.serving import Live

NOWHERE = "http://127.0.0.1:9"


def started(data: Path, patience_s: float) -> Live[BackendSettings]:
    made = BackendSettings(data=data, ocr_url=NOWHERE, inpaint_url=NOWHERE, patience_s=patience_s)
    live = Live(make_app(made), made)
    live.start()
    return live


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live[BackendSettings]]:
    live = started(tmp_path_factory.mktemp("backend"), 0.01)
    live.until_ready()
    yield live
    live.stop()


def test_a_job_is_gone_when_its_time_to_live_is_over(backend: Live[BackendSettings]) -> None:
    form = {"options": json.dumps({"ttl": 1})}
    view = backend.post("/api/v1/jobs", files={"file": drawn("SALE")}, data=form).json()
    path = f"/api/v1/jobs/{view['job_id']}"
    assert backend.get(f"{path}?wait=30").json()["status"] == "failed"
    assert backend.until(lambda: backend.get(path).status_code == 410)
    assert backend.get(f"{path}/input").status_code == 410


def test_streams_of_events_end_in_good_order_when_the_service_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    live = started(tmp_path, 60.0)
    path = f"/api/v1/jobs/{live.post('/api/v1/jobs', files={'file': drawn('SALE')}).json()['job_id']}"
    with (
        httpx.Client(base_url=live.url, trust_env=False) as client,
        client.stream("GET", f"{path}/events") as events,
        client.stream("GET", "/api/v1/events?after=0") as all_events,
    ):
        pieces, all_pieces = events.iter_text(), all_events.iter_text()
        assert "queued" in next(pieces)
        assert "queued" in next(all_pieces)
        live.stop()
        assert not any("dropped" in piece for piece in [*pieces, *all_pieces])  # neither is cut off
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
