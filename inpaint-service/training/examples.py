"""What the network learns from: windows on the lines of made-up scenes, outlines as rough as a detector's."""

from __future__ import annotations

import random
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint_service.lines import HEIGHT_PX, WIDTH_PX, LineWindow, line_windows
from training.materials import Materials
from training.scenes import Quad, scene

Example = NDArray[np.uint8]

CHANNELS = 5


def examples(materials: Materials, seed: int) -> Iterator[Example]:
    """Yield (64, 256, 5) uint8 for ever: RGB, the region (0 or 255), the ink (0 to 255, by coverage)."""
    rng = random.Random(seed)
    cv2.setNumThreads(1)
    while True:
        made = scene(materials, rng)
        both = np.dstack((made.text, np.asarray(made.ink, np.uint8) * 255))
        for quad in made.quads:
            outline = rough(quad, rng)
            windows = line_windows([(float(x), float(y)) for x, y in outline], (WIDTH_PX,))
            for window in rng.sample(windows, min(2, len(windows))):
                yield example(both, outline, window)


def example(both: NDArray[np.uint8], outline: Quad, window: LineWindow) -> Example:
    """Return what the window shows of a scene, (H, W, 4) uint8: RGB and ink."""
    shown = window.look(both)
    return np.dstack((shown[..., :3], region(outline, window), shown[..., 3]))


def region(outline: Quad, window: LineWindow) -> NDArray[np.uint8]:
    """Return (64, 256) uint8, 255 where the window shows the inside of the outline."""
    corners = (outline - 0.5) @ window.matrix[:, :2].T + window.matrix[:, 2]
    return np.asarray(cv2.fillPoly(np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8), [np.rint(corners).astype(np.int32)], 255))


def rough(quad: Quad, rng: random.Random) -> Quad:
    """Return the corners as a detector may give them: too wide or too tight, an upright box at times."""
    across, down = quad[1] - quad[0], quad[3] - quad[0]
    height, width = max(float(np.linalg.norm(down)), 1), max(float(np.linalg.norm(across)), 1)
    right, below = across / width, down / height
    if rng.random() < 0.06:  # far too high, as a box of two lines
        top, bottom = (rng.uniform(0, 0.7) * height for _ in range(2))
    else:
        top, bottom = (rng.gauss(0.06, 0.06) * height for _ in range(2))
    start, end = (rng.gauss(0.08, 0.12) * height for _ in range(2))
    out = quad + np.array(
        [
            -start * right - top * below,
            end * right - top * below,
            end * right + bottom * below,
            -start * right + bottom * below,
        ]
    )
    if rng.random() < 0.2:
        (left, high), (far, low) = out.min(axis=0), out.max(axis=0)
        out = np.array([[left, high], [far, high], [far, low], [left, low]])
    return np.asarray(out + 0.5, np.float32)
