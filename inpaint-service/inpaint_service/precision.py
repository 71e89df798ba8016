"""How far bfloat16 is from float32 on this machine: `python -m inpaint_service.precision --weights FILE PICTURES...`.

Each picture gets bars of mask over its middle, as lines of text would lie there; a model paints them in both
precisions, and what is compared is what lies under the bars.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.problems import Problem
from cleanplate.runtime.images import PictureLimits, decode
from inpaint_service.engines import Economy, Inpainter, Precision, load

GOOD_DB = 45.0
RULE = f"Rule of thumb: from {GOOD_DB:.0f} dB on nobody sees the difference; below, look at the pictures first."
LIMITS = PictureLimits(max_bytes=2**30, max_side=0, max_pixels=2**28)
LONGEST_PX = 512
BARS = 3


def bars(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a mask, (H, W) uint8 of 0 and 255, of horizontal bars over the middle 80 % of the width."""
    height, width = size
    mask = np.zeros(size, np.uint8)
    for number in range(BARS):
        top = height * (2 * number + 1) // (2 * BARS + 1)
        mask[top : top + max(1, height // (2 * BARS + 1)), width // 10 : max(1, width - width // 10)] = 255
    return mask


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8], mask: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of two pictures under the mask; infinite where they are equal."""
    error = float(np.mean((one[mask > 0].astype(np.float64) - other[mask > 0]) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def compare(exact: Inpainter, quick: Inpainter, pictures: Sequence[Path]) -> float:
    """Print a line for each picture and return the least ratio. Raises OSError, Malformed and its kin."""
    least = float("inf")
    for path in pictures:
        rgb = np.ascontiguousarray(decode(path.read_bytes(), LIMITS).rgb[:LONGEST_PX, :LONGEST_PX])
        mask = bars(rgb.shape[:2])
        (one, exact_s), (other, quick_s) = _timed(exact, rgb, mask), _timed(quick, rgb, mask)
        ratio = psnr_db(one, other, mask)
        least = min(least, ratio)
        sys.stdout.write(f"{ratio:6.1f} dB  fp32 {exact_s:6.2f} s  bf16 {quick_s:6.2f} s  {path}\n")
    return least


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and judge; return the exit code: 1 below the rule of thumb, 2 where it cannot be told."""
    parser = argparse.ArgumentParser(prog="python -m inpaint_service.precision", description=RULE)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--model", default="lama", help="a model's name; lama by default")
    parser.add_argument("--weights", type=Path, help="a file for it; by default the one in IOPaint's folder")
    parser.add_argument("--device", default="cpu", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=0, help="of the processor; 0: as many as cores")
    told = parser.parse_args(arguments)
    try:
        least = compare(_loaded(told, "fp32"), _loaded(told, "bf16"), told.pictures)
    except (Problem, OSError) as error:
        sys.stderr.write(f"cleanplate: {error}\n")
        return 2
    verdict = "bf16 will do" if least >= GOOD_DB else "bf16 changes what is painted"
    sys.stdout.write(f"{RULE}\nLeast: {least:.1f} dB: {verdict}.\n")
    return 0 if least >= GOOD_DB else 1


def _loaded(told: argparse.Namespace, precision: Precision) -> Inpainter:
    threads, economy = told.threads or None, Economy(precision)
    engine = load(told.model, device=told.device, weights=told.weights, threads=threads, economy=economy)
    engine.warm_up()
    return engine


def _timed(engine: Inpainter, rgb: NDArray[np.uint8], mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    began = time.perf_counter()
    return engine.inpaint(rgb, mask), time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
