"""What LaMa's network costs under each way to run it: `inpaint-service/.venv/bin/python tests/bench/runtimes.py`.

big-LaMa's architecture with random weights. Each way is a process of its own; they take turns, so that a slow spell of
the machine falls on all of them. OpenVINO is the one that ocr-service has. `--only` picks ways beside the first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
SIZES = ((824, 168), (512, 512))

Call = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


def plain(network: Any, threads: int, precision: str) -> Call:
    import torch

    from inpaint_service.engines.precision import arithmetic

    def call(image: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
        optimized = torch.jit.optimized_execution(False)
        with torch.no_grad(), optimized, arithmetic("bf16" if precision == "bf16" else "fp32", "cpu"):
            result: NDArray[np.float32] = network(torch.from_numpy(image), torch.from_numpy(mask)).float().numpy()
            return result

    return call


def last(network: Any, threads: int, precision: str) -> Call:
    import torch

    return plain(network.to(memory_format=torch.channels_last), threads, precision)


def freeze(network: Any, threads: int, precision: str) -> Call:
    import torch

    return plain(torch.jit.freeze(network), threads, precision)


def prepack(network: Any, threads: int, precision: str) -> Call:
    import torch

    return plain(torch.jit.optimize_for_inference(network), threads, precision)


def served(network: Any, threads: int, precision: str) -> Call:
    from inpaint_service.engines.frozen import frozen

    return plain(frozen(network), threads, precision)


def openvino(network: Any, threads: int, precision: str) -> Call:
    sys.path.extend(map(str, ROOT.glob("ocr-service/.venv/lib/python3*/site-packages")))  # last: for what is not here
    import openvino
    import torch

    model = openvino.convert_model(network, example_input=(torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)))
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": 16,
    }
    request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()
    return lambda image, mask: np.array(request.infer([image, mask])[0])


WAYS = {
    "as it is": plain,
    "channels last": last,
    "freeze": freeze,
    "optimize_for_inference": prepack,
    "freeze, channels last": served,
    "OpenVINO": openvino,
}


@dataclass
class Run:
    """A way in a process of its own."""

    name: str
    process: subprocess.Popen[str]
    load_s: float = 0.0
    calls: list[dict[str, float]] = field(default_factory=list)

    def ask(self, file: Path) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{file}\n")
        self.process.stdin.flush()
        self.calls.append(self.answer())

    def answer(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())


def serve(way: str, precision: str, weights: Path, threads: int, width: int, height: int) -> None:
    """Load, then make a call for each line read: the file to put the result into. Answer with what it took."""
    import torch

    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    image, mask = rng.random((1, 3, height, width), np.float32), np.zeros((1, 1, height, width), np.float32)
    mask[:, :, height // 3 : height * 2 // 3, width // 10 : -width // 10] = 1
    began = time.perf_counter()
    call = WAYS[way](torch.jit.load(str(weights), map_location="cpu").eval(), threads, precision)
    print(json.dumps(time.perf_counter() - began), flush=True)
    loaded = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading
    for line in sys.stdin:
        began, spent = time.perf_counter(), time.process_time()
        result = call(image, mask)
        taken = {"s": time.perf_counter() - began, "cpu": time.process_time() - spent}
        np.save(line.strip(), result)
        told = {**taken, "loaded": loaded, "peak": memory_mb("VmHWM") - loaded}
        print(json.dumps(told), flush=True)


def memory_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000


def compare(weights: Path, names: list[str], size: tuple[int, int], threads: int, rounds: int) -> None:
    runs = []
    for name in names:
        way, _, precision = name.rpartition(" ")
        told: list[str | Path] = ["--serve", way, precision, weights, str(threads), *map(str, size)]
        process = subprocess.Popen(
            [sys.executable, __file__, *told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        runs.append(Run(name, process))
        runs[-1].load_s = runs[-1].answer()
    for _ in range(rounds + 1):  # the first only warms up
        for number, run in enumerate(runs):
            run.ask(weights.with_name(f"{number}.npy"))
    show(runs, [np.load(weights.with_name(f"{number}.npy")) for number in range(len(runs))])
    for run in runs:
        run.process.communicate()


def show(runs: list[Run], results: list[NDArray[np.float32]]) -> None:
    for run, result in zip(runs, results, strict=True):
        ratios = [
            statistics.median(
                one[unit] / first[unit] for one, first in zip(run.calls[1:], runs[0].calls[1:], strict=True)
            )
            for unit in ("s", "cpu")
        ]
        off = np.abs(result - results[0]).max() * 255
        end = run.calls[-1]
        print(
            f"  {run.name:<28} {statistics.median(call['s'] for call in run.calls[1:]):6.2f} s {ratios[0]:6.2f}"
            f" {ratios[1]:6.2f} {run.load_s:7.1f} s {end['loaded']:6.0f} MB {end['peak']:6.0f} MB {off:8.4f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[f"{way} {kind}" for kind in ("fp32", "bf16") for way in WAYS])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--network", nargs=2, default=["64", "18"], help="channels and blocks; 64 18 are big-LaMa's")
    parser.add_argument("--serve", nargs=6, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.serve:
        way, precision, file, *numbers = told.serve
        serve(way, precision, Path(file), *map(int, numbers))
        return
    first = "as it is fp32"
    names = [first, *(name for name in told.only if name != first)]
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "lama.pt"
        subprocess.run([sys.executable, ROOT / "tests" / "fakes" / "lama.py", weights, *told.network], check=True)
        print(f"{'':<30} {'call':>8} {'ratio':>6} {'CPU':>6} {'load':>9} {'loaded':>9} {'call +':>9} {'gray':>8}")
        for size in SIZES:
            print(f"{size[0]} x {size[1]}, {told.threads} thread")
            compare(weights, names, size, told.threads, told.rounds)


if __name__ == "__main__":
    main()
