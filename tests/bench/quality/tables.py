"""The bench's figures as text: a row per picture, the means, and the ways beside each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import get_args

import numpy as np

from tests.bench.quality.cases import Kind
from tests.bench.quality.metrics import Scores
from tests.bench.quality.trials import Measured, Source, Trial, measured

NAME = 34
SCORES = "".join(f"{name:>8}" for name in ("PSNR", "in text", "SSIM", "in text", "AGE", "pEPs %", "pCEPs %"))


def heading() -> None:
    print(f"{'picture':{NAME}} {'regions':>12}{SCORES}  recall  precis   found readable strays")


def row(trial: Trial) -> None:
    """Print what the product makes of a picture; `found` is how many true regions the detector finds before, after."""
    known = trial.measured
    scores = _scores(known.scores) if known else " " * len(SCORES)
    strokes = "".join(f"{value:8.3f}" for value in (known and known.strokes) or ())
    found = "{} -> {}".format(*trial.detected) if trial.detected else ""
    readable = "" if trial.readable is None else f"{trial.readable}/{len(trial.regions)}"
    figures = f"{scores}{strokes:16}{found:>8}{readable:>9}{trial.strays:7d}"
    print(f"{trial.case.name[-NAME:]:{NAME}} {len(trial.regions):7d} {trial.source:>4}{figures}", flush=True)


def means(trials: Sequence[Trial]) -> None:
    """Print the means by kind of picture, as they are and scaled as in the papers."""
    print(f"\n{'means':{NAME + 13}}{SCORES}  MS-SSIM (unhalved, halved)")
    for kind, source, some in _groups(trials):
        title = f"{kind}, {len(some)} pictures, regions: {source}"
        print(f"{title:{NAME + 13}}{_scores(Scores.mean([one.scores for one in some]))}")
        unhalved, halved = np.mean([one.ms_ssim for one in some], axis=0)
        row = _scores(Scores.mean([one.published for one in some]))
        print(f"{'  shorter side 512':{NAME + 13}}{row}  {unhalved:.4f} {halved:.4f}")


def ways(trials: Sequence[Trial]) -> None:
    """Print the PSNR of every mask mode with every fill, and which of the single ones the truth would have chosen."""
    names = list(dict.fromkeys(way for trial in trials if trial.measured for way in trial.measured.ways))
    print(f"\nPSNR by way\n{'':{NAME + 5}}" + "".join(f"{name.split()[0]:>9}" for name in names))
    print(f"{'picture':{NAME + 5}}" + "".join(f"{name.partition(' ')[2]:>9}" for name in names) + "     best")
    for trial in trials:
        if trial.measured:
            print(f"{trial.case.name:{NAME}} {trial.source:>4}{_ways(names, [trial.measured])}")
    for kind, source, some in _groups(trials):
        print(f"{'mean of ' + kind:{NAME}} {source:>4}{_ways(names, some)}")


def _groups(trials: Sequence[Trial]) -> list[tuple[Kind, Source, list[Measured]]]:
    pairs = itertools.product(get_args(Kind), get_args(Source))
    return [(kind, source, some) for kind, source in pairs if (some := measured(trials, kind, source))]


def _scores(one: Scores) -> str:
    return (
        f"{one.psnr:8.2f}{one.text_psnr:8.2f}{one.ssim:8.4f}{one.text_ssim:8.4f}{one.age:8.2f}"
        f"{100 * one.peps:8.2f}{100 * one.pceps:8.2f}"
    )


def _ways(names: Sequence[str], some: Sequence[Measured]) -> str:
    columns = [[one.ways[name] for one in some if name in one.ways] for name in names]
    figures = "".join(f"{np.mean(column):9.2f}" if column else " " * 9 for column in columns)
    return f"{figures}{np.mean([one.best for one in some]):9.2f}"
