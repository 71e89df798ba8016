"""The OCR against its targets: what is read, how fast, and what the service adds; weights and pictures are the same.

Run with the ocr-service's environment, on a machine that does nothing else:
    PYTHONPATH=shared:ocr-service ocr-service/.venv/bin/python -m tests.bench.ocr [reading known …] [--cjk FONT]

`faster` needs a Python with PaddleX's serving (--paddlex; docs/development.md says how to make one). The memory of a
long document is measured by tests/bench/documents.py.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.ocr import reading, serving
from tests.bench.ocr.pictures import FOLDER, pictures
from tests.bench.targets import Target, print_table

PARTS = ("reading", "known", "bent", "faster", "overhead", "beside")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all when none is given")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="pictures with text")
    parser.add_argument("--pictures", type=int, default=12, help="of them that the servers are asked for")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--requests", type=int, default=1000, help="beside and at a failing engine")
    parser.add_argument("--paddlex", type=Path, metavar="PYTHON", help="that has paddlex[serving]")
    parser.add_argument("--latin", type=Path, nargs="+", default=[], metavar="FONT")
    parser.add_argument("--cjk", type=Path, nargs="+", default=[], metavar="FONT")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
    with tempfile.TemporaryDirectory() as folder:
        print_table(list(targets(given, Path(folder))))


def targets(given: argparse.Namespace, folder: Path) -> Iterator[Target]:
    parts = given.parts or PARTS
    if "reading" in parts:
        yield from reading.compared(given.folder, given.repeats)
    if "known" in parts:
        yield from reading.known(given.latin, given.cjk)
    if "bent" in parts:
        yield from reading.arched(given.latin)
    if "faster" in parts and given.paddlex:
        found = [rgb for _, rgb in pictures(given.folder)]
        some = found[:: max(1, len(found) // given.pictures)][: given.pictures]
        yield from serving.faster(some, given.repeats, given.paddlex, folder)
    elif "faster" in parts:
        print("not measured: faster; no --paddlex")
    if "overhead" in parts:
        yield from serving.overhead(2 * given.repeats + 1, folder)
    if "beside" in parts:
        yield from serving.beside(given.requests, folder)


if __name__ == "__main__":
    main()
