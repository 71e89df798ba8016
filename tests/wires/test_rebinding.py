"""A page that gives its own domain the address of this machine gets nothing of any service."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from backend.app import make_app
from backend.settings import BackendSettings
from tests.wires.conftest import Serve, ServeOcr
from tests.wires.serving import Live

STRANGER = {"Host": "rebound.example:8000", "Origin": "http://rebound.example:8000"}


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live[BackendSettings]]:
    settings = BackendSettings(data=tmp_path_factory.mktemp("backend"), hosts="erase.example")
    live = Live(make_app(settings), settings)
    live.start()
    live.until_ready()
    yield live
    live.stop()


def refused(live: Live[Any], path: str) -> None:
    for headers in (STRANGER, {"Host": STRANGER["Host"]}):
        answer = live.get(path, headers=headers)
        assert answer.status_code == 403, answer.text
        assert "HOSTS" in answer.text
    assert live.get(path).status_code == 200


def test_the_backend_is_not_called_by_a_name_that_nobody_knows(backend: Live[BackendSettings]) -> None:
    refused(backend, "/api/v1/jobs")
    assert backend.get("/api/v1/jobs", headers={"Host": "erase.example"}).status_code == 200
    host, port = backend.address.split(":")
    with socket.create_connection((host, int(port))) as open_socket, pytest.raises(InvalidStatus) as caught:
        connect(f"ws://{STRANGER['Host']}/api/v1/ws/jobs", sock=open_socket, proxy=None)
    assert caught.value.response.status_code == 403


def test_nor_are_the_services_behind_it_on_any_of_their_wires(serve: Serve, serve_ocr: ServeOcr) -> None:
    inpaint, ocr = serve(), serve_ocr()
    refused(inpaint, "/api/v1/tasks")
    refused(ocr, "/v1/engines")
    refused(ocr, "/v1/tasks")
