"""A PostgreSQL, a Redis and an S3 of the tests' own: on free ports, with data folders that go with them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import redis

from backend.cli.ports import free_ports
from cleanplate.runtime.jobs import new_id

PATIENCE_S = 30.0
DEBIAN = Path("/usr/lib/postgresql")


class Server:
    """A process with a port and a folder of its own, which can be stopped and started again."""

    def __init__(self) -> None:
        (self.port,) = free_ports("127.0.0.1", 1)
        self._folder = tempfile.TemporaryDirectory(prefix="cleanplate-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it and return when it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.folder, stdout=log, stderr=log, **self.user())
        end = time.monotonic() + PATIENCE_S
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it, in an orderly way or not."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE_S)

    def user(self) -> dict[str, Any]:
        """Return whom it runs as."""
        return {}

    def command(self) -> list[str]:
        """Return how it is started."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Say whether it is up."""
        raise NotImplementedError


class Postgres(Server):
    """A cluster of databases; it never runs as root."""

    def __init__(self) -> None:
        super().__init__()
        self._superuser = os.geteuid() == 0
        if self._superuser:
            shutil.chown(self.folder, "postgres", "postgres")
        init = [
            found("initdb"),
            "--pgdata=data",
            "--username=cleanplate",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
        ]
        subprocess.run(init, cwd=self.folder, check=True, capture_output=True, **self.user())

    def user(self) -> dict[str, Any]:
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if self._superuser else {}

    def command(self) -> list[str]:
        here = "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"
        return [found("postgres"), "-D", "data", "-p", str(self.port), "-c", "fsync=off", *here]

    def answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def database(self, encoding: str = "UTF8") -> str:
        """Return the store's URL of a new, empty database."""
        name = f"test_{new_id()}"
        with self._connect() as connection:
            how = f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
            connection.execute(f"CREATE DATABASE {name} {how}")
        return f"postgresql+psycopg://cleanplate@127.0.0.1:{self.port}/{name}"

    def _connect(self) -> psycopg.Connection[Any]:
        told = f"host=127.0.0.1 port={self.port} user=cleanplate dbname=postgres connect_timeout=2"
        return psycopg.connect(told, autocommit=True)


class Redis(Server):
    """A Redis without a password, which keeps what it has when it is stopped in an orderly way."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [found("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--appendonly", "yes"]

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


class S3(Server):
    """A stand-in for S3 with one bucket, in memory."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{self.url}/bucket", method="PUT"), timeout=5):
                return True
        except OSError:
            return False

    def environ(self) -> dict[str, str]:
        """Return the variables with which it is found."""
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        return {"AWS_ENDPOINT_URL": self.url, **keys}


def found(program: str) -> str:
    """Return where a program is; where it is not, the test fails and says how to get it."""
    newest = sorted(DEBIAN.glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
    path = shutil.which(program) or (str(newest[-1]) if newest else None)
    assert path is not None, f"{program} is missing; on Debian or Ubuntu: sudo apt-get install postgresql redis-server"
    return path


def until(true: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return when it is so."""
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)
