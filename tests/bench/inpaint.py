"""What the inpaint-service costs, as ratios of one run: `inpaint-service/.venv/bin/python tests/bench/inpaint.py`.

Against IOPaint's own strategies with the big-LaMa network and random weights, and against the same work without a
server. `--only` picks cases, `--requests` says how many the memory case sends.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import requests
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
REGIONS_URL = "/api/v1/inpaint-regions"
LIMITLESS = 10**12

Rows = Iterator[tuple[str, str, str]]


def photo(width: int, height: int, seed: int = 1) -> Image.Image:
    """Draw something that costs an encoder and a ring what a photograph does: noise on all scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for scale in (4, 32, 256):
        noise = rng.integers(0, 256, (height // scale + 1, width // scale + 1, 3), np.uint8)
        grown = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(grown, np.float32) * scale / 292
    return Image.fromarray(np.clip(total, 0, 255).astype(np.uint8))


def lines(width: int, height: int, count: int, share: float) -> list[dict[str, Any]]:
    """Spread so many text lines over the picture, together covering that share of it."""
    area = width * height * share / count
    tall = round((area / 17) ** 0.5)
    wide = round(area / tall)
    step = height // count
    return [
        {"x": (index * 577) % (width - wide), "y": index * step + (step - tall) // 2, "width": wide, "height": tall}
        for index in range(count)
    ]


def encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    file = BytesIO()
    image.save(file, kind, quality=92)
    return file.getvalue()


def seconds(call: Callable[[], Any], times: int = 1) -> float:
    """Return the median time of the call."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


class Server:
    """The service as a process of its own."""

    def __init__(self, **settings: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._data = tempfile.TemporaryDirectory()
        told = {"IOPAINT_HOST": "127.0.0.1", "IOPAINT_PORT": str(port), "INPAINT_DATA": self._data.name}
        command = [sys.executable, "-P", "-m", "inpaint_service"]
        self.process = subprocess.Popen(command, env={**os.environ, **told, **settings}, stderr=subprocess.DEVNULL)
        while True:
            try:
                if requests.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except requests.ConnectionError:
                if self.process.poll() is not None:
                    raise SystemExit("the service did not start") from None
            time.sleep(0.1)

    def post(self, image: bytes, regions: list[dict[str, Any]], **params: Any) -> bytes:
        form = {"params": json.dumps({"regions": regions, **params})}
        answer = requests.post(self.url + REGIONS_URL, files={"image": image}, data=form, timeout=600)
        assert answer.status_code == 200, answer.text
        return answer.content

    def post_json(self, image: bytes, regions: list[dict[str, Any]], **params: Any) -> None:
        body = {"image": base64.b64encode(image).decode(), "regions": regions, **params}
        answer = requests.post(self.url + REGIONS_URL, json=body, timeout=600)
        assert answer.status_code == 200, answer.text

    def memory_mb(self, field: str = "VmRSS") -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field)) / 1000

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self._data.cleanup()


@contextmanager
def served(**settings: str) -> Iterator[Server]:
    server = Server(**settings)
    try:
        yield server
    finally:
        server.stop()


def model_rows() -> Rows:
    """Compare the crop plan with IOPaint's strategies, same network, same process."""
    from inpaint_service import masks, repaint
    from inpaint_service.engines import load

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "lama.pt"
        subprocess.run([sys.executable, ROOT / "tests" / "fakes" / "lama.py", weights, "64", "18"], check=True)
        engine = load("lama", device="cpu", weights=weights)
        rgb = np.asarray(photo(2048, 2048))
        mask = np.zeros((2048, 2048), np.uint8)
        for line in lines(2048, 2048, 12, 0.08):
            mask[line["y"] : line["y"] + line["height"], line["x"] : line["x"] + line["width"]] = 255
        engine.warm_up()
        plan = repaint.plan(rgb, mask, engine)

        def ours() -> None:
            canvas = repaint.Canvas(rgb, plan, engine)
            for unit in plan.units:
                canvas.repaint(unit)

        own_s = seconds(ours, 3)
        windows = f"{len(plan.units)} windows, {masks.area_px(mask) / mask.size:.1%} masked"
        yield "2048², 12 lines, LaMa: ours", f"{own_s:.1f} s", windows
        for strategy, target in (("Crop", 0.60), ("Original", 0.20)):
            their_s = seconds(partial(_iopaint, engine, rgb, mask, strategy))
            yield f"  ours / IOPaint {strategy}", f"{own_s / their_s:.2f}", f"≤ {target:.2f}; theirs {their_s:.1f} s"


def _iopaint(engine: Any, rgb: np.ndarray, mask: np.ndarray, strategy: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from iopaint.schema import HDStrategy, InpaintRequest

    import torch

    request = InpaintRequest(hd_strategy=HDStrategy(strategy), hd_strategy_crop_margin=128)
    with torch.jit.optimized_execution(False):
        engine.model(rgb.copy(), mask.copy(), request)


def request_rows(server: Server) -> Rows:
    """Compare a request with the same work done in this process, and the two ways to send a picture."""
    from cleanplate.contract.messages import Region
    from cleanplate.runtime.images import PictureLimits
    from inpaint_service.crops import CropOptions
    from inpaint_service.erase import Eraser
    from inpaint_service.models import ModelChoice, Models
    from inpaint_service.wire import Order, Params

    models = Models(ModelChoice("cv2"))
    models.start()
    eraser = Eraser(models, PictureLimits(0, 0, 0), CropOptions())
    regions = lines(4000, 3000, 10, 0.03)
    places = tuple(Region(**region) for region in regions)
    forms: tuple[Literal["jpeg", "png"], ...] = ("jpeg", "png")
    for form in forms:
        image = encoded(photo(4000, 3000), form)
        order = Order(image, Params(output_format=form), places)
        ways = (
            partial(eraser.erase, order),
            partial(server.post, image, regions, output_format=form),
            partial(server.post_json, image, regions, output_format=form),
        )
        # in turn, so that a slow spell of the machine falls on all of them
        taken = [[seconds(way) for way in ways] for _ in range(5)]
        direct, multipart, as_json = (statistics.median(column) for column in zip(*taken, strict=True))
        told = f"≤ 1.15; {multipart:.2f} s"
        yield f"12 MP {form}, 10 regions, cv2: request / direct", f"{multipart / direct:.2f}", told
        yield "  JSON with base64 / multipart", f"{as_json / multipart:.2f}", "to say"


def load_rows(server: Server) -> Rows:
    """Send eight requests at once, ask how the service is meanwhile, and compare the answers with serial ones."""
    image, regions = encoded(photo(2000, 1500)), lines(2000, 1500, 10, 0.05)
    expected = server.post(image, regions)
    count = 32
    alone_s = seconds(lambda: [server.post(image, regions) for _ in range(count // 2)]) * 2
    stop, waits = threading.Event(), []

    def watch() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                waits.append(seconds(lambda: session.get(f"{server.url}/livez", timeout=60)))
                time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(8) as pool:
        began = time.perf_counter()
        answers = list(pool.map(lambda _: server.post(image, regions), range(count)))
        together_s = time.perf_counter() - began
    stop.set()
    watcher.join()
    wrong = sum(answer != expected for answer in answers)
    yield "8 clients / 1 client, throughput, cv2", f"{alone_s / together_s:.2f}", f"≥ 1.6; {wrong} wrong answers"
    p99 = sorted(waits)[int(len(waits) * 0.99)]
    yield "  /livez meanwhile, p99", f"{p99 * 1000:.0f} ms", f"< 50 ms; {len(waits)} probes"


def memory_rows(server: Server, count: int) -> Rows:
    """Watch the resident memory over many large requests, and its peak in a very large one."""
    image, regions = encoded(photo(4000, 3000)), lines(4000, 3000, 10, 0.03)
    early = 0.0
    for number in range(1, count + 1):
        server.post(image, regions, output_format="jpeg")
        if number == 10:
            early = server.memory_mb()
    late = server.memory_mb()
    yield f"resident memory after {count} / after 10 requests of 12 MP", f"{late / early:.2f}", f"≤ 1.05; {late:.0f} MB"
    image, regions = encoded(photo(8660, 5774)), lines(8660, 5774, 10, 0.03)
    idle = server.memory_mb()
    server.forget_peak()
    server.post(image, regions)
    peak = server.memory_mb("VmHWM")
    yield "peak memory of a 50 MP request over idle", f"{peak - idle:.0f} MB", "≤ 1200 MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=["model", "request", "load", "memory"])
    parser.add_argument("--requests", type=int, default=200)
    chosen = parser.parse_args()
    if "model" in chosen.only:
        show(model_rows())
    if set(chosen.only) & {"request", "load", "memory"}:
        with served(IOPAINT_MODEL="cv2", MAX_FILE_SIZE=str(LIMITLESS)) as server:
            for name, rows in (
                ("request", partial(request_rows, server)),
                ("load", partial(load_rows, server)),
                ("memory", partial(memory_rows, server, chosen.requests)),
            ):
                if name in chosen.only:
                    show(rows())


def show(rows: Rows) -> None:
    for name, figure, note in rows:
        print(f"{name:<58} {figure:>9}   {note}", flush=True)


if __name__ == "__main__":
    main()
