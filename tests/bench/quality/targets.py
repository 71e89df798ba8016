"""What the bench's figures should be, and whether they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tests.bench.quality.cases import MADE, PAIRS, Kind
from tests.bench.quality.trials import Source, Trial, measured
from tests.bench.targets import Target


def targets(trials: Sequence[Trial]) -> Iterator[Target]:
    """Judge what was measured; what was not is left out."""
    yield from _strokes(trials)
    yield from _photos(trials)
    yield from _pairs(trials)
    yield from _readable(trials)
    yield from _router(trials)
    product = [trial.seconds for trial in trials if trial.source == "ocr"]
    if product:
        total = np.sum(product, axis=0)
        yield Target(
            "the masks' share of OCR, masks, repainting and the second look, %", 100 * total[1] / total.sum(), 10
        )
        yield Target("the same without the second look, %", 100 * total[1] / total[:3].sum(), 10)
    yield Target("pixels changed outside the polygons' dilated hulls", sum(trial.strays for trial in trials), 0)


def _strokes(trials: Sequence[Trial]) -> Iterator[Target]:
    found = [one.strokes for kind in MADE for one in measured(trials, kind, "true") if one.strokes]
    if found:
        recall, precision = np.mean(found, axis=0)
        yield Target("stroke recall, made pictures, true regions", recall, 0.97, least=True)
        yield Target("stroke precision, made pictures, true regions", precision, 0.75, least=True)


def _photos(trials: Sequence[Trial]) -> Iterator[Target]:
    sources: tuple[tuple[Source, str], ...] = (("true", "true regions"), ("ocr", "OCR's regions, missed text included"))
    for source, words in sources:
        some = measured(trials, "photo", source)
        if some:
            mean = float(np.mean([one.scores.psnr for one in some]))
            yield Target(f"text over photographs, PSNR of the whole in dB, {words}", mean, 34, least=True)


def _pairs(trials: Sequence[Trial]) -> Iterator[Target]:
    bounds: tuple[tuple[Kind, float], ...] = (("poster", 40.5), ("scene", 37.0))
    for kind, bound in bounds:
        some = measured(trials, kind, "true")
        if some:
            mean = float(np.mean([one.scores.psnr for one in some]))
            yield Target(f"pairs, {kind}s, PSNR with all outside the boxes from the truth, dB", mean, bound, least=True)
    worse = [
        one.ways["box plane"] - one.ways["auto"]
        for kind in PAIRS
        for one in measured(trials, kind, "true")
        if "box plane" in one.ways
    ]
    if worse:
        yield Target("pairs, most that one is under boxes and the ring's plane, dB", max(worse), 0.5)


def _readable(trials: Sequence[Trial]) -> Iterator[Target]:
    kinds: tuple[tuple[str, tuple[Kind, ...]], ...] = (("made", MADE), ("real", ("real",)))
    for name, those in kinds:
        some = [trial for trial in trials if trial.case.kind in those and trial.readable is not None]
        regions = sum(len(trial.regions) for trial in some)
        if regions:
            share = 100 * sum(trial.readable or 0 for trial in some) / regions
            yield Target(f"regions still readable, {name} pictures, % of {regions}", share, 2)


def _router(trials: Sequence[Trial]) -> Iterator[Target]:
    sources: tuple[tuple[Source, str], ...] = (("true", "true regions, pairs too"), ("ocr", "OCR's regions"))
    for source, words in sources:
        some = [one for kind in (*MADE, *PAIRS) for one in measured(trials, kind, source)]
        if some:
            loss = float(np.mean([one.best - one.ways["auto"] for one in some]))
            yield Target(f"the router under the best single strategy per picture, {words}, dB", loss, 0.7)
