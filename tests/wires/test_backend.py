"""The backend behind a real port, its two services away."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from backend.app import make_app
from backend.settings import BackendSettings
from tests.fakes.services import drawn
from tests.wires.serving import Live

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live[BackendSettings]]:
    data = tmp_path_factory.mktemp("backend")
    live = Live(
        make_app(made := BackendSettings(data=data, ocr_url=NOWHERE, inpaint_url=NOWHERE, patience_s=0.01)), made
    )
    live.start()
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
