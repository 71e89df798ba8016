"""An application behind a real port, in a thread with an event loop of its own, and ways to ask it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import httpx
from fastapi import FastAPI
from websockets.sync.client import ClientConnection, connect

from cleanplate.runtime.service import Server
from cleanplate.runtime.settings import ServiceSettings

PATIENCE_S = 30.0
S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")


class Live(Generic[S]):
    """A service that answers, from `start` until `stop`."""

    def __init__(self, app: FastAPI, settings: S, port: int = 0):
        self.settings = settings
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._server = _Server(app, settings)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False)

    def start(self) -> None:
        """Return when it listens."""
        self._thread.start()
        assert self._server.up.wait(PATIENCE_S)

    def until_ready(self) -> None:
        """Return when it is ready for work."""
        self.until(lambda: self.get("/readyz").status_code == 200)

    def stop(self) -> None:
        """Return when it has ended in good order."""
        self.http.close()
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        self._listener.close()
        assert not self._thread.is_alive()

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET from it."""
        return self.http.get(path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """POST JSON to it, or what `more` says."""
        return self.http.post(path, **({"json": body} if body is not None else {}), **more)

    @contextmanager
    def socket(self, path: str, **more: Any) -> Iterator[Talk]:
        """Open a WebSocket."""
        with connect(f"ws://{self.address}{path}", proxy=None, open_timeout=PATIENCE_S, **more) as connection:
            yield Talk(connection)

    def until(self, found: Callable[[], T]) -> T:
        """Ask again and again until there is something to return; each question is a request, so nothing spins."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if value := found():
                return value
        raise TimeoutError("what was waited for did not happen")

    def ended(self, task_id: str) -> dict[str, Any]:
        """Return the task's status when it has come to its end."""
        with self.socket(f"/api/v1/ws/progress/{task_id}") as talk:
            talk.hear_until("task_completed", "task_failed", "task_cancelled")
        view: dict[str, Any] = self.get(f"/api/v1/task-status/{task_id}").json()
        return view


class Talk:
    """A WebSocket on which JSON objects go back and forth."""

    def __init__(self, connection: ClientConnection):
        self.connection = connection

    def say(self, **message: Any) -> None:
        """Send one message."""
        self.connection.send(json.dumps(message))

    def hear(self) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = json.loads(self.connection.recv(timeout=PATIENCE_S))
        return message

    def hear_until(self, *types: str) -> list[dict[str, Any]]:
        """Return the messages up to and with the first of these types."""
        heard = [self.hear()]
        while heard[-1]["type"] not in types:
            heard.append(self.hear())
        return heard


class _Server(Server):
    def __init__(self, app: FastAPI, settings: ServiceSettings):
        super().__init__(app, settings)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()
