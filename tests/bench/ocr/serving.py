"""How the service serves: against PaddleX's basic serving, against its own engine, and beside an engine that fails."""

from __future__ import annotations

import base64
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import openvino
import requests

from tests.bench.ocr.pictures import FONT_PX, LATIN, MARGIN_PX, RGB, fonts, pages, png
from tests.bench.ocr.servers import ocr_service, paddlex_serving
from tests.bench.targets import Target
from tests.fakes.vision import Vision, answers, breaks_off, falls_silent, hangs_up, raw, says

CLIENTS = 4
PATIENCE_S = 300.0
TWO_MP = (1600, 1250)
HAS_BF16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
PRECISIONS = ("fp32", "bf16") if HAS_BF16 else ("fp32",)
DOCUMENTED = frozenset({"upstream_failed", "bad_upstream", "upstream_refused", "timed_out", "engine_busy"})


def faster(pictures: Sequence[RGB], rounds: int, python: Path, folder: Path) -> Iterator[Target]:
    """Let four clients ask both servers in turn for the same pictures, after each has seen all of them once."""
    bodies = [
        json.dumps({"file": base64.b64encode(png(rgb)).decode(), "fileType": 1, "visualize": False}) for rgb in pictures
    ]
    with ExitStack() as running:
        servers = {"PaddleX": running.enter_context(paddlex_serving(python, folder))}
        for precision in PRECISIONS:
            one = ocr_service(folder / precision, OCR_PRECISION=precision)
            servers[f"the service, {precision}"] = running.enter_context(one)
        rounds_s: dict[str, list[float]] = {name: [] for name in servers}
        cpu_s = dict.fromkeys(servers, 0.0)
        for counted in range(rounds + 1):
            for name, server in servers.items():
                before = server.cpu_s()
                seconds = _asked(server.url, bodies)
                if counted:
                    rounds_s[name].append(seconds)
                    cpu_s[name] += server.cpu_s() - before
    for name, seconds_each in rounds_s.items():
        paces = ", ".join(f"{len(bodies) / seconds:.2f}" for seconds in seconds_each)
        cost = cpu_s[name] / len(bodies) / rounds
        print(f"{name:17} {paces} pictures per second, {CLIENTS} clients; {cost:.2f} s of processor time for each")
    peer = rounds_s.pop("PaddleX")
    for name, ours in rounds_s.items():
        ratio = statistics.median(theirs / own for own, theirs in zip(ours, peer, strict=True))
        yield Target(f"pictures per second, four clients, / PaddleX's basic serving: {name}", ratio, 2.0, True)


def overhead(repeats: int, folder: Path) -> Iterator[Target]:
    """Compare the time of a request for two megapixels with what its engine took, which the reply tells."""
    (page,) = pages(LATIN, fonts([]), TWO_MP)
    data = png(page.rgb)
    walls: list[float] = []
    ratios: list[float] = []
    with ocr_service(folder) as server, requests.Session() as session:
        for counted in range(repeats + 1):
            start = time.perf_counter()
            reply = session.post(f"{server.url}/v1/detect", files={"image": data}, timeout=PATIENCE_S)
            seconds = time.perf_counter() - start
            if counted:
                walls.append(seconds)
                ratios.append(seconds / reply.json()["timings"]["total"])
    told = ", ".join(f"{ratio:.3f}" for ratio in sorted(ratios))
    print(f"a request {statistics.median(walls):.2f} s; / its engine's time: {told}")
    yield Target("a request for 2 megapixels / its engine's time", statistics.median(ratios), 1.05)


def beside(requests_: int, folder: Path) -> Iterator[Target]:
    """Ask the default engine while the engine `openai` is asked as often, whose endpoint is wrong, slow or gone."""
    (page,) = pages(LATIN, fonts([]))
    right, bottom = 420, MARGIN_PX + FONT_PX + 12
    data, half = png(page.rgb[MARGIN_PX - 24 : bottom, MARGIN_PX - 24 : right]), requests_ // 2
    faults = (says("no boxes here"), answers(500), answers(401), breaks_off, hangs_up, falls_silent, raw(b"\xff{"))
    vision = Vision()
    vision.start()
    endpoint = {"OCR_OPENAI_URL": vision.url, "OCR_OPENAI_MODEL": "eye", "OCR_OPENAI_RETRIES": 0}
    try:
        with ocr_service(folder, **endpoint, OCR_OPENAI_TIMEOUT_S=1, OCR_OPENAI_IDLE_S=1) as server:
            alone = [_detected(server.url, data, "") for _ in range(5)]
            vision.does(*(faults[number % len(faults)] for number in range(half + 1)))
            with ThreadPoolExecutor(2 * CLIENTS) as pool:
                told = ["", "openai"] * half
                replies = list(pool.map(lambda engine: (engine, _detected(server.url, data, engine)), told))
    finally:
        vision.stop()
    expected = alone[0]
    assert expected[0] == 200, expected
    assert expected[1], "nothing is read"
    own = [reply for engine, reply in replies if not engine]
    failed = Counter(f"{status} {text}" for engine, (status, text) in replies if engine)
    print(f"{len(own)} read beside {len(replies) - len(own)} that met a fault: {dict(failed)}")
    stray = sum(status >= 500 and text not in DOCUMENTED for engine, (status, text) in replies if engine)
    yield Target("requests beside a failing engine that were not answered as alone", sum(r != expected for r in own), 0)
    yield Target("5xx that are not documented", stray, 0)


def _asked(url: str, bodies: Sequence[str]) -> float:
    """Return the seconds until all were answered."""

    def ask(body: str) -> None:
        headers = {"Content-Type": "application/json"}
        reply = requests.post(f"{url}/ocr", data=body, headers=headers, timeout=PATIENCE_S)
        assert reply.json()["errorCode"] == 0, reply.text[:200]

    return _timed(lambda pool: list(pool.map(ask, bodies)))


def _timed(work: Callable[[ThreadPoolExecutor], object]) -> float:
    with ThreadPoolExecutor(CLIENTS) as pool:
        start = time.perf_counter()
        work(pool)
        return time.perf_counter() - start


def _detected(url: str, data: bytes, engine: str) -> tuple[int, str]:
    """Return the status, and the text that was read or the problem's code."""
    params = json.dumps({"engine": engine} if engine else {})
    reply = requests.post(f"{url}/v1/detect", files={"image": data}, data={"params": params}, timeout=PATIENCE_S)
    body = reply.json()
    return reply.status_code, " ".join(r["text"] for r in body["regions"]) if reply.ok else body["code"]
