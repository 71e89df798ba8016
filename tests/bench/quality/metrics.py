"""How alike two pictures are, as the papers on text removal measure it. Pure.

PSNR of RGB; SSIM of Wang et al. (2004) on the luma; AGE, pEPs and pCEPs as EraseNet (Liu et al., 2020) reports them.
The papers scale pictures to a shorter side of 512 before they measure: `as_published` does that.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.bench.fills import Picture, psnr

SIDE_PX = 512
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
ERROR_LEVELS = 20  # an error pixel's luma is off by more
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
STABLE = (0.01 * 255) ** 2, (0.03 * 255) ** 2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the five levels of MS-SSIM, Wang et al. (2003)

Real = NDArray[np.float32]
Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """How near a result is to the truth.

    Attributes:
        psnr: of the whole picture, dB.
        text_psnr: of the text's area alone.
        ssim: of the whole picture, 1 at best.
        text_ssim: of the text's area alone.
        age: mean absolute error of the luma, gray levels.
        peps: share of error pixels.
        pceps: share of error pixels whose four neighbors are error pixels too.
    """

    psnr: float
    text_psnr: float
    ssim: float
    text_ssim: float
    age: float
    peps: float
    pceps: float

    @classmethod
    def mean(cls, several: list[Scores]) -> Scores:
        return cls(*np.mean([astuple(one) for one in several], axis=0))


def scores(result: Picture, truth: Picture, text: Bits) -> Scores:
    """Compare two (H, W, 3) pictures; `text` is (H, W), where the text is."""
    one, other = luma(result), luma(truth)
    alike, _ = ssim_maps(one, other)
    error = np.abs(one - other)
    wrong = (error > ERROR_LEVELS).astype(np.uint8)
    # nothing lies past the border that could be wrong
    clustered = cv2.erode(wrong, CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return Scores(
        psnr=psnr(result, truth),
        text_psnr=psnr(result[text], truth[text]),
        ssim=float(alike.mean()),
        text_ssim=float(alike[text].mean()),
        age=float(error.mean()),
        peps=float(wrong.mean()),
        pceps=float(np.mean(clustered)),
    )


def as_published(picture: Picture) -> Picture:
    factor = SIDE_PX / min(picture.shape[:2])
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)


def luma(picture: Picture) -> Real:
    return picture.astype(np.float32) @ LUMA


def ssim_maps(one: Real, other: Real) -> tuple[Real, Real]:
    """Return per pixel the similarity, and its part without the brightness; Gaussian 11 x 11, sigma 1.5."""
    mean, other_mean = _blurred(one), _blurred(other)
    variances = _blurred(one * one) - mean**2 + _blurred(other * other) - other_mean**2
    contrast = (2 * (_blurred(one * other) - mean * other_mean) + STABLE[1]) / (variances + STABLE[1])
    brightness = (2 * mean * other_mean + STABLE[0]) / (mean**2 + other_mean**2 + STABLE[0])
    return brightness * contrast, contrast


def ms_ssim(one: Real, other: Real, *, halving: bool) -> float:
    """Return the similarity over five levels; the code that the papers share blurs between them but never halves."""
    value = 1.0
    for level, weight in enumerate(WEIGHTS, 1):
        alike, contrast = ssim_maps(one, other)
        value *= max(0.0, float((alike if level == len(WEIGHTS) else contrast).mean())) ** weight
        step = 2 if halving else 1
        one, other = (np.asarray(cv2.blur(side, (2, 2)), np.float32)[::step, ::step] for side in (one, other))
    return value


def _blurred(values: Real) -> Real:
    return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), np.float32)
