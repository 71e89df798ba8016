"""Compares the OCR engines on a folder of pictures: is the text the same, and how long does each take?

Run with the ocr-service's environment, one thread per engine:
    PYTHONPATH=shared:ocr-service ocr-service/.venv/bin/python tests/bench/ocr.py [folder]
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ocr_service import engines
from ocr_service.detect import detect
from ocr_service.engines import Line, ReadOptions, TextEngine

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "testset"
ROLES = ("text", "text+mask", "clean|text side by side")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
NOT_TEXT = ("_g.png", "_clean.png", "masks", "labels", "_mask")


@dataclass
class Run:
    engine: TextEngine
    load_s: float
    warm_s: float
    lines: dict[str, list[Line]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    tiled: dict[str, int] = field(default_factory=dict)


def pictures(folder: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield (name, (H, W, 3) uint8 RGB) of what shows text; by the manifest if there is one, else by name."""
    manifest = folder / "MANIFEST.tsv"
    if manifest.exists():
        with manifest.open(encoding="utf-8") as file:
            names = [row["file"] for row in csv.DictReader(file, delimiter="\t") if row["role"] in ROLES]
    else:
        found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)
        names = [str(p.relative_to(folder)) for p in found if not any(part in p.name for part in NOT_TEXT)]
    for name in names:
        yield name, opened(folder / name)


def opened(path: Path) -> NDArray[np.uint8]:
    """Return the picture as displayed; transparent ones over whichever of black and white its ink stands out from."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"), np.float32)
        alpha = rgba[:, :, 3:] / 255
        mean = (rgba[:, :, :3] * alpha).sum() / max(alpha.sum() * 3, 1)
        return (rgba[:, :, :3] * alpha + (1 - alpha) * (255 if mean < 128 else 0)).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


def loaded(name: str) -> Run:
    start = time.perf_counter()
    engine = engines.load(name, threads=1)
    ready = time.perf_counter()
    engine.warm_up()
    return Run(engine, ready - start, time.perf_counter() - ready)


def measure(run: Run, name: str, rgb: NDArray[np.uint8], repeats: int) -> None:
    """Read a picture `repeats` times and keep the fastest, by wall clock and by processor time."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run.lines[name] = run.engine.read(rgb, ReadOptions())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    run.seconds[name], run.cpu[name] = min(walls), min(cpus)
    run.tiled[name] = len(detect(rgb, run.engine).regions)


def report(runs: dict[str, Run], sizes: dict[str, str]) -> None:
    """Print one row per picture and the totals."""
    first, second = runs.values()
    a, b = first.engine.name, second.engine.name
    print(
        f"{'picture':56} {'size':>10} {'lines':>5} {'text':>6} {'detect':>7} {a + ' s':>8} {b + ' s':>8} {'ratio':>6}"
    )
    same = 0
    for name, size in sizes.items():
        equal = [line.text for line in first.lines[name]] == [line.text for line in second.lines[name]]
        same += equal
        times = first.cpu[name], second.cpu[name]
        verdict, count, tiled = "same" if equal else "DIFFER", len(first.lines[name]), first.tiled[name]
        ratio = times[0] / max(times[1], 1e-9)
        print(
            f"{name[-56:]:56} {size:>10} {count:5} {verdict:>6} {tiled:7} {times[0]:8.3f} {times[1]:8.3f} {ratio:6.2f}"
        )
    print(f"\nsame text: {same} of {len(sizes)}")
    for run in runs.values():
        mean, cpu = (sum(times.values()) / len(sizes) for times in (run.seconds, run.cpu))
        starts = f"load {run.load_s:.2f} s, warm up {run.warm_s:.2f} s"
        print(f"{run.engine.name:8} {starts}, a picture {mean:.3f} s, of the processor's time {cpu:.3f} s")
    print(f"ratio {a}/{b}: {sum(first.cpu.values()) / sum(second.cpu.values()):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    runs = {name: loaded(name) for name in ("paddle", "rapid")}
    sizes = {}
    for name, rgb in pictures(given.folder):
        sizes[name] = f"{rgb.shape[1]}x{rgb.shape[0]}"
        for run in runs.values():
            measure(run, name, rgb, given.repeats)
    report(runs, sizes)


if __name__ == "__main__":
    main()
