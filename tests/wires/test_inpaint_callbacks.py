"""Callbacks to servers that redirect, refuse, hang up or lie about where they are: each ends, and the log says how."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from typing import Any

from cleanplate.contract.messages import Event
from cleanplate.runtime.service import open_board
from inpaint_service.tasks import KIND
from tests.wires.conftest import Inpaint, Serve
from tests.wires.serving import PATIENCE_S
from tests.wires.test_inpaint_rest import _receiver, _submit


def _told(live: Inpaint, task: str) -> dict[str, Any]:
    """Return how the task's callback ended, by the log, once it has."""
    board = open_board(KIND, live.settings)

    def found() -> list[Event]:
        live.get("/livez")
        events = asyncio.run(board.call(board.store.events, task, 0, 1000))
        return [event for event in events if event.type.startswith("callback")]

    event = live.until(found)[0]
    board.close()
    return {"type": event.type, **event.data}


def test_a_redirect_is_not_followed_and_not_tried_again(serve: Serve) -> None:
    live = serve(allow_private_urls=True)
    with _receiver(302) as (url, came):
        end = _told(live, _submit(live, callback_url=url)["task_id"])
    assert (end["type"], end["tries"], end["reason"]) == ("callback_given_up", 1, "status 302")
    assert came.qsize() == 1


def test_a_server_that_hangs_up_is_tried_again(serve: Serve) -> None:
    live = serve(allow_private_urls=True)
    heads = queue.SimpleQueue[bytes]()

    def serve_two() -> None:
        for answer in (b"", b"HTTP/1.1 204 No Content\r\n\r\n"):
            connection, _ = listener.accept()
            with connection:
                heads.put(connection.recv(65_536))
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve_two)
        thread.start()
        end = _told(live, _submit(live, callback_url=f"http://127.0.0.1:{listener.getsockname()[1]}/")["task_id"])
        thread.join()
    assert (end["type"], end["tries"], heads.qsize()) == ("callback_delivered", 2, 2)


def test_a_name_that_leads_inside_is_never_connected_to(serve: Serve) -> None:
    live = serve()
    with _receiver(200) as (url, came):
        task = _submit(live, callback_url=url.replace("127.0.0.1", "localhost"))["task_id"]
        end = _told(live, task)
    assert (end["type"], end["tries"]) == ("callback_given_up", 1)
    assert "must not reach" in end["reason"]
    assert came.empty()
