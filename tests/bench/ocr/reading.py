"""What is read: the service's engine against PaddleOCR called directly, and against pages whose text is known."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import cast

from ocr_service import engines
from ocr_service.detect import detect
from ocr_service.engines import Line, ReadOptions, TextEngine
from tests.bench.ocr.pictures import (
    CJK,
    FONT_PX,
    LATIN,
    MARGIN_PX,
    RGB,
    STEP_PX,
    Font,
    Page,
    bent,
    fonts,
    pages,
    pictures,
)
from tests.bench.targets import Target

LATIN_PERCENT, CJK_PERCENT, BENT_PERCENT = 1.0, 2.0, 2.0
SIGNS = ("Fresh bread every day", "GRAND HOTEL EXCELSIOR", "Curved lettering 2024")
RADII = (700, 400, 250)
BENT_SIZE = (700, 500)


@dataclass
class Run:
    engine: TextEngine
    load_s: float
    warm_s: float
    lines: dict[str, list[Line]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    tiled: dict[str, int] = field(default_factory=dict)


def compared(folder: Path, repeats: int) -> Iterator[Target]:
    """Read a folder's pictures with both engines, print one row for each, and judge whether they read the same."""
    runs = {name: loaded(name) for name in ("paddle", "rapid")}
    sizes = {}
    for name, rgb in pictures(folder):
        sizes[name] = f"{rgb.shape[1]}x{rgb.shape[0]}"
        for run in runs.values():
            measure(run, name, rgb, repeats)
    if sizes:
        same = report(runs, sizes)
        yield Target(
            "pictures on which PaddleOCR called directly reads the same, %", 100 * same / len(sizes), 100, True
        )


def known(latin: list[Path], cjk: list[Path]) -> Iterator[Target]:
    """Read drawn pages with the default engine; CJK only where there is a font for it."""
    engine = loaded(engines.DEFAULT).engine
    yield from _known("Latin", LATIN, fonts(latin), engine, LATIN_PERCENT)
    if cjk:
        yield from _known("CJK", CJK, fonts(cjk), engine, CJK_PERCENT)
    else:
        print("not measured: CJK; no --cjk")


def arched(latin: list[Path]) -> Iterator[Target]:
    """Read arches of text with the default engine, and count the wrong characters without regard to spaces."""
    engine, errors, characters = loaded(engines.DEFAULT).engine, 0, 0
    for text, radius, font in product(SIGNS, RADII, fonts(latin)):
        regions = detect(bent(text, font, radius, BENT_SIZE), engine).regions
        read, wanted = "".join(region.text for region in regions).replace(" ", ""), text.replace(" ", "")
        errors, characters = errors + distance(wanted, read), characters + len(wanted)
        corners = [len(region.polygon) for region in regions]
        print(f"radius {radius:4} {text!r}: {read!r}, corners {corners}")
    yield Target("bent lines, characters wrong, %", 100 * errors / characters, BENT_PERCENT)


def loaded(name: str) -> Run:
    start = time.perf_counter()
    engine = cast(TextEngine, engines.load(name, threads=1))
    ready = time.perf_counter()
    engine.warm_up()
    return Run(engine, ready - start, time.perf_counter() - ready)


def measure(run: Run, name: str, rgb: RGB, repeats: int) -> None:
    """Read a picture `repeats` times and keep the fastest, by wall clock and by processor time."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run.lines[name] = run.engine.read(rgb, ReadOptions())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    run.seconds[name], run.cpu[name] = min(walls), min(cpus)
    run.tiled[name] = len(detect(rgb, run.engine).regions)


def report(runs: dict[str, Run], sizes: dict[str, str]) -> int:
    """Print one row per picture and the totals; return on how many the text is the same."""
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
    return same


def _known(script: str, text: tuple[str, ...], drawn: list[Font], engine: TextEngine, most: float) -> Iterator[Target]:
    errors = characters = unspaced = solid = 0
    for page in pages(text, drawn):
        read = _read(page, engine)
        for line, got in zip(page.lines, read, strict=True):
            errors, characters = errors + distance(line, got), characters + len(line)
            bare = line.replace(" ", ""), got.replace(" ", "")
            unspaced, solid = unspaced + distance(*bare), solid + len(bare[0])
            if bare[0] != bare[1]:
                print(f"read {got!r}\n for {line!r}")
    print(f"{script}: without regard to spaces {100 * unspaced / solid:.2f} % wrong")
    yield Target(f"{script} at 24 px, characters wrong, %", 100 * errors / characters, most)


def _read(page: Page, engine: TextEngine) -> Sequence[str]:
    """Return what was read of each line of a page; parts of one line are joined by a space."""
    rows: list[list[str]] = [[] for _ in page.lines]
    for region in detect(page.rgb, engine).regions:
        middle = region.box.y + region.box.height / 2
        place = round((middle - MARGIN_PX - FONT_PX / 2) / STEP_PX)
        rows[min(max(place, 0), len(rows) - 1)].append(region.text)
    return [" ".join(row) for row in rows]


def distance(a: str, b: str) -> int:
    """Return how many characters to insert, delete or replace make one text the other."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]
