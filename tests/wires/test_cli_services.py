"""Services as child processes; each is a small script here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from backend.cli import launches
from backend.cli.failures import NotInstalled, NotReady, PortInUse, ServiceDied
from backend.cli.launches import BACKEND, INPAINT, OCR
from backend.cli.ports import is_free
from backend.cli.services import Services

FAKE = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

sys.stderr.write("pid %d is here\\n" % os.getpid())
sys.stderr.flush()

class Handler(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        Handler.asked += 1
        ready = Handler.asked > 1 and "--never" not in sys.argv
        body = json.dumps({"checks": {"model": "loading"}}).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

port = int(next(value for name, value in os.environ.items() if name.endswith("_PORT")))
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
DIES = "import sys; sys.stderr.write('no such model\\n'); sys.exit(3)"

Make = Callable[..., Services]
Gone = Callable[[int], None]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def services(*names: str, script: str = FAKE, arguments: Sequence[str] = (), **more: object) -> Services:
        command = [sys.executable, "-S", "-c", script, *arguments]
        commands = dict.fromkeys(names, command)
        return Services(tmp_path, tmp_path / "data", names=names, commands=commands, environ={}, **more)  # type: ignore[arg-type]

    return services


@pytest.fixture
def gone() -> Gone:
    def wait(pid: int) -> None:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            stat = Path(f"/proc/{pid}/stat")
            if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX":
                return
            time.sleep(0.01)
        raise AssertionError(f"process {pid} is still there")

    return wait


def test_a_picture_has_all_cores_of_a_machine_with_one_user_unless_he_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OCR_THREADS", raising=False)
    assert launches.for_one_user() == {**os.environ, "OCR_THREADS": "0"}
    monkeypatch.setenv("OCR_THREADS", "3")
    assert launches.for_one_user()["OCR_THREADS"] == "3"


def test_services_are_ready_inside_and_gone_afterwards(make: Make, gone: Gone) -> None:
    heard: list[tuple[str, str]] = []
    with make(OCR, INPAINT, on_change=lambda name, state: heard.append((name, state))) as running:
        pids = [running.pid(name) or 0 for name in (OCR, INPAINT)]
        assert len(set(running.urls.values())) == 2
    for pid in pids:
        gone(pid)
    for name in (OCR, INPAINT):
        states = [state for one, state in heard if one == name]
        assert states[-2:] == ["model: loading", "ready"]


def test_a_service_that_is_killed_comes_back_on_its_port(make: Make, gone: Gone) -> None:
    with make(OCR) as running:
        before, url = running.pid(OCR) or 0, running.urls[OCR]
        running.kill(OCR)
        gone(before)
        running.check()
        assert is_free("127.0.0.1", running.ports[OCR])
        running.restart(OCR)
        assert running.pid(OCR) != before
        assert running.urls[OCR] == url
        assert running.log(OCR).read_text().count("is here") == 2


def test_a_service_that_dies_at_its_start_is_named_with_the_end_of_its_log(make: Make) -> None:
    with (
        pytest.raises(ServiceDied, match=r"ocr-service has ended \(exit code 3\).*\n.*no such model"),
        make(OCR, script=DIES),
    ):
        pass


def test_a_service_that_dies_later_is_noticed_and_the_others_are_stopped(make: Make, gone: Gone) -> None:
    with make(OCR, INPAINT) as running:
        pid, other = running.pid(OCR) or 0, running.pid(INPAINT) or 0
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        with pytest.raises(ServiceDied, match="killed by SIGKILL"):
            running.check()
    gone(other)


def test_a_service_that_is_never_ready_is_given_up(make: Make, gone: Gone) -> None:
    services = make(OCR, arguments=["--never"], timeout_s=0.5)
    with pytest.raises(NotReady, match=r"ocr-service \(model: loading\)"), services:
        pass
    assert services.pid(OCR) is None


def test_a_port_in_use_is_named_before_anything_starts(make: Make) -> None:
    with make(OCR) as running:
        services = make(BACKEND, INPAINT, ports={INPAINT: running.ports[OCR]})
        with pytest.raises(PortInUse, match=rf"port {running.ports[OCR]} .* --inpaint-port"):
            services.start()
        assert services.pid(BACKEND) is None


def test_the_log_of_the_time_before_is_kept(make: Make) -> None:
    with make(OCR) as first:
        log, pid = first.log(OCR), first.pid(OCR)
    with make(OCR):
        assert log.with_name("ocr-service.log.1").read_text() == f"pid {pid} is here\n"
        assert log.read_text().count("is here") == 1


def test_services_do_not_outlive_a_parent_that_is_killed(tmp_path: Path, gone: Gone) -> None:
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    parent = f"""
        import signal
        from pathlib import Path
        from backend.cli.services import Services
        command = [{sys.executable!r}, "-S", {str(script)!r}]
        folder = Path({str(tmp_path)!r})
        with Services(folder, folder / "data", names=["ocr-service"], commands={{"ocr-service": command}}) as running:
            print(running.pid("ocr-service"), flush=True)
            signal.pause()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    gone(pid)


def test_a_service_without_an_environment_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match=r"ocr-service is not installed.*cleanplate setup"):
        Services(tmp_path, tmp_path / "data")


def test_the_backend_is_told_where_the_others_are() -> None:
    urls = {OCR: "http://h:1", INPAINT: "http://h:2", BACKEND: "http://h:3"}
    given = {"OCR_API_KEYS": "one, two", "BACKEND_INPAINT_KEY": "mine", "PATH": "/bin"}
    told = launches.environment(BACKEND, "h", 3, urls, Path("/data"), given)
    assert told == given | {
        "BACKEND_HOST": "h",
        "BACKEND_PORT": "3",
        "BACKEND_DATA": "/data/backend",
        "BACKEND_OCR_URL": "http://h:1",
        "BACKEND_INPAINT_URL": "http://h:2",
        "BACKEND_OCR_KEY": "one",
        "BACKEND_INPAINT_KEY": "mine",
    }


def test_the_inpaint_service_keeps_the_names_of_its_predecessor() -> None:
    told = launches.environment(INPAINT, "::", 2, {}, Path("/data"), {})
    assert told == {"IOPAINT_HOST": "::", "IOPAINT_PORT": "2", "INPAINT_DATA": "/data/inpaint"}
    assert launches.reachable("::") == "[::1]"
