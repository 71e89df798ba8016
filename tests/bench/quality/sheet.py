"""Contact sheets: a row per picture with what was masked, what came of it, and the truth where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.bench.fills import Picture
from tests.bench.quality.cases import corners
from tests.bench.quality.trials import Trial

TILE_PX = 300
LABEL_PX = 22
ROWS = 5
OUTLINE = (230, 30, 60)


def write(trials: Sequence[Trial], folder: Path) -> None:
    """Write `sheet-001.png` and so on, a few rows each."""
    folder.mkdir(parents=True, exist_ok=True)
    for page, start in enumerate(range(0, len(trials), ROWS), 1):
        sheet = np.vstack([_row(trial) for trial in trials[start : start + ROWS]])
        cv2.imwrite(str(folder / f"sheet-{page:03d}.png"), sheet[:, :, ::-1])


def _row(trial: Trial) -> Picture:
    clean = trial.case.truth.clean if trial.case.truth else np.full_like(trial.result, 255)
    tiles = (_outlined(trial), np.repeat(trial.mask[..., None], 3, axis=2), trial.result, clean)
    return np.vstack((_label(trial), np.hstack([_tile(tile) for tile in tiles])))


def _outlined(trial: Trial) -> Picture:
    shown = trial.case.text.copy()
    outlines = [corners(region) for region in trial.regions]
    cv2.polylines(shown, outlines, True, OUTLINE, max(1, max(shown.shape) // TILE_PX))
    return shown


def _label(trial: Trial) -> Picture:
    words = f"{trial.case.name}, regions: {trial.source}"
    if trial.measured:
        words += f", {trial.measured.scores.psnr:.2f} dB, best single {trial.measured.best:.2f} dB"
    if trial.readable:
        words += f", {trial.readable} of {len(trial.regions)} still readable"
    label = np.full((LABEL_PX, 4 * TILE_PX, 3), 255, np.uint8)
    cv2.putText(label, words, (4, LABEL_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return label


def _tile(picture: Picture) -> Picture:
    """Return the picture fitted into a square."""
    height, width = picture.shape[:2]
    factor = TILE_PX / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    tile = np.full((TILE_PX, TILE_PX, 3), 128, np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return tile
