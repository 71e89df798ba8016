"""One picture erased in every way, and what is measured of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cleanplate.contract.messages import Detection, MaskMode, Region
from inpaint_service.patches import Mask
from inpaint_service.strategy import AUTO, BY_NAME, COHERENCE
from inpaint_service.strokes import StrokeNetwork
from tests.bench.fills import Picture, psnr
from tests.bench.quality import metrics, reading
from tests.bench.quality.cases import Case, Kind, Truth
from tests.bench.quality.erasing import Erased, Masked, erased, given, masked, strays
from tests.bench.quality.metrics import Bits, Scores
from tests.bench.quality.reading import Reader

Source = Literal["true", "ocr"]
INK = "ink coherence"
"""Lines continued under the text's own pixels: what a perfect stroke mask would give."""


@dataclass(frozen=True, eq=False)
class Tools:
    """What pictures are tried with: the OCR engine, the stroke network, and the mask modes beside `auto`."""

    reader: Reader
    network: StrokeNetwork
    modes: Sequence[MaskMode]


@dataclass(frozen=True, eq=False)
class Measured:
    """How the product's own way, and others, compare with the truth.

    Attributes:
        scores: of the product's way.
        published: the same of pictures scaled as in the papers.
        ms_ssim: of these, as the papers' code has it, and as it is meant.
        ways: PSNR in dB by mask mode and fill, such as `box plane`.
        strokes: recall and precision of the stroke mask, where the ink is known.
    """

    scores: Scores
    published: Scores
    ms_ssim: tuple[float, float]
    ways: Mapping[str, float]
    strokes: tuple[float, float] | None

    @property
    def best(self) -> float:
        """Return the PSNR of the best single strategy; which that is, only the truth can tell."""
        return max(value for way, value in self.ways.items() if way != INK and way.endswith(BY_NAME))


@dataclass(frozen=True, eq=False)
class Trial:
    """What came of erasing some regions of a picture the way the product does when it is told nothing.

    Attributes:
        source: whether the truth or the OCR engine says where the regions are.
        mask: (H, W) uint8.
        result: (H, W, 3) uint8.
        strays: how many pixels changed far from any region.
        seconds: of the OCR engine, the mask, the repainting and the second look, which only OCR's regions get.
        readable: how many of the engine's regions can still be read.
        detected: how many of the true regions the engine finds before and after.
    """

    case: Case
    source: Source
    regions: tuple[Region, ...]
    mask: Mask
    result: Picture
    strays: int
    seconds: tuple[float, float, float, float]
    readable: int | None
    detected: tuple[int, int] | None
    measured: Measured | None


def trials(case: Case, tools: Tools) -> Iterator[Trial]:
    """Erase the true regions, where they are known, and those that OCR finds; of pairs only the true ones."""
    found = tools.reader.read(case.text)
    if case.truth:
        yield _trial(case, "true", case.truth.regions, found, tools)
    if case.truth is None or case.truth.ink is not None:
        yield _trial(case, "ocr", reading.regions(found), found, tools)


def measured(trials: Sequence[Trial], kind: Kind, source: Source) -> list[Measured]:
    return [one.measured for one in trials if (one.case.kind, one.source) == (kind, source) and one.measured]


def _trial(case: Case, source: Source, regions: tuple[Region, ...], found: Detection, tools: Tools) -> Trial:
    cover = masked(case.text, regions, "auto", tools.network)
    done = erased(case.text, cover, AUTO)
    after, truth = tools.reader.read(done.picture), case.truth
    return Trial(
        case=case,
        source=source,
        regions=regions,
        mask=cover.mask,
        result=done.picture,
        strays=strays(case.text, done.picture, regions),
        seconds=(
            found.timings["total"],
            cover.seconds,
            done.seconds,
            tools.reader.look_s(done.picture, found) if source == "ocr" else 0.0,
        ),
        readable=reading.left(found, after) if source == "ocr" else None,
        detected=(reading.detected(truth.regions, found), reading.detected(truth.regions, after)) if truth else None,
        measured=_measured(case.text, truth, regions, tools, done) if truth else None,
    )


def _measured(text: Picture, truth: Truth, regions: Sequence[Region], tools: Tools, done: Erased) -> Measured:
    result, clean = truth.scored(done.picture), truth.clean
    covers = {mode: _cover(text, truth, regions, mode, tools.network) for mode in tools.modes}
    scaled, scaled_clean = metrics.as_published(result), metrics.as_published(clean)
    area = cv2.resize(truth.area, scaled.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    lumas = metrics.luma(scaled), metrics.luma(scaled_clean)
    return Measured(
        scores=metrics.scores(result, clean, truth.area > 0),
        published=metrics.scores(scaled, scaled_clean, area),
        ms_ssim=(metrics.ms_ssim(*lumas, halving=False), metrics.ms_ssim(*lumas, halving=True)),
        ways={"auto": psnr(result, clean), **_ways(text, truth, covers)},
        strokes=_found(covers["stroke"].mask > 0, truth.ink) if "stroke" in covers and truth.ink is not None else None,
    )


def _cover(text: Picture, truth: Truth, regions: Sequence[Region], mode: MaskMode, network: StrokeNetwork) -> Masked:
    """Return a mask; the boxes of pairs are masked as given, so that figures compare with those of the fills' bench."""
    return given(truth.area) if mode == "box" and truth.ink is None else masked(text, regions, mode, network)


def _ways(text: Picture, truth: Truth, covers: Mapping[MaskMode, Masked]) -> dict[str, float]:
    ways = {
        f"{mode} {model}": psnr(truth.scored(erased(text, cover, model).picture), truth.clean)
        for mode, cover in covers.items()
        for model in (*BY_NAME, AUTO)
    }
    if truth.ink is not None:
        ink = np.asarray(cv2.dilate(truth.ink.astype(np.uint8) * 255, np.ones((3, 3), np.uint8)), np.uint8)
        ways[INK] = psnr(erased(text, given(ink), COHERENCE).picture, truth.clean)
    return ways


def _found(mask: Bits, ink: Bits) -> tuple[float, float]:
    """Return recall and precision."""
    shared = float((mask & ink).sum())
    return shared / max(float(ink.sum()), 1), shared / max(float(mask.sum()), 1)
