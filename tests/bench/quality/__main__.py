"""Measure how well text is erased, from the regions to the picture without it, and print it beside its targets.

    PYTHONPATH=backend inpaint-service/.venv/bin/python -m tests.bench.quality

Three parts: text drawn over pictures, where the truth is exact (with `--fonts` and `--pictures`, folders such as
unpacked Debian packages, and fontTools on the PYTHONPATH; neither font nor picture was used in the training); the
test set's pairs; its pictures without truth. Regions come from the truth or from the product's OCR engine, which
leaves in the picture what it does not find.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from cleanplate.contract.messages import MaskMode
from inpaint_service.strokes import StrokeNetwork
from tests.bench.fills import DEFAULT
from tests.bench.quality import cases, sheet, tables, targets
from tests.bench.quality.cases import Case
from tests.bench.quality.erasing import line_ms
from tests.bench.quality.reading import Reader
from tests.bench.quality.trials import Tools, Trial, trials
from tests.bench.targets import Target, print_table

PARTS = ("made", "pairs", "real")
MODES: tuple[MaskMode, ...] = ("box", "polygon", "stroke")
TIMED = 10  # pictures for the stroke network


def main() -> None:
    asked = _arguments()
    if "made" in asked.parts and not asked.fonts:
        print("without --fonts and --pictures no text is drawn: only the test set is measured")
    done: list[Trial] = []
    network = StrokeNetwork()
    tables.heading()
    with Reader() as reader:
        tools = Tools(reader, network, asked.modes)
        for trial in itertools.chain.from_iterable(trials(case, tools) for case in _cases(asked)):
            tables.row(trial)
            done.append(trial)
    if any(trial.measured for trial in done):
        tables.means(done)
        tables.ways(done)
    if asked.sheet:
        sheet.write(done, asked.sheet)
    print_table([*targets.targets(done), *_line_costs(done, network)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("testset", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--fonts", type=Path, help="folder of OpenType fonts")
    parser.add_argument("--pictures", type=Path, help="folder of photographs, textures and drawings")
    parser.add_argument("--index", type=Path, help="what was found there, made if missing; FONTS/materials.json")
    parser.add_argument("--count", type=int, default=40, help="most pictures of a kind")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets")
    asked = parser.parse_args()
    if (asked.fonts is None) != (asked.pictures is None):
        parser.error("--fonts and --pictures go together")
    return asked


def _cases(asked: argparse.Namespace) -> Iterator[Case]:
    if "made" in asked.parts and asked.fonts:
        yield from cases.made(asked.fonts, asked.pictures, asked.index or asked.fonts / "materials.json", asked.count)
    if "pairs" in asked.parts:
        yield from cases.pairs(asked.testset, asked.count)
    if "real" in asked.parts:
        yield from cases.real(asked.testset, asked.count)


def _line_costs(done: Sequence[Trial], network: StrokeNetwork) -> Iterator[Target]:
    some = list(itertools.islice((trial for trial in done if trial.source == "ocr" and trial.regions), TIMED))
    lines = sum(len(trial.regions) for trial in some)
    if lines:
        one, two = (
            sum(line_ms(trial.case.text, trial.regions, network, threads) for trial in some) / lines
            for threads in (1, 2)
        )
        yield Target(f"stroke network, ms a line on two threads ({one:.1f} on one), {lines} lines", two, 15)


if __name__ == "__main__":
    main()
