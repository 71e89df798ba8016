"""Where in a region the ink is: a small network looks at every line and says so pixel by pixel.

    region ──► lines.line_windows ──► the network, window by window ──► back on the picture's pixels

The network is ours: `inpaint-service/training` made it from letters drawn over pictures. OpenCV runs it: it starts in
10 ms and takes 1 to 4 ms for a window on one core. Windows together in one call cost as much as one after the other.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import Region
from inpaint_service.lines import HEIGHT_PX, LineWindow, line_windows
from inpaint_service.patches import Edges

DOUBT = 16.0
"""Added to a window's standard deviation before its colors are divided by it, in gray levels; as in the training."""
WEIGHTS = files("inpaint_service").joinpath("weights/strokes.onnx")

Picture = NDArray[np.uint8]
Ink = NDArray[np.float32]


def read_network(data: bytes) -> cv2.dnn.Net:
    """Return the network in an ONNX file."""
    return cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))


class StrokeNetwork:
    """Finds ink; may be called from any thread, each of which gets a network of its own."""

    def __init__(self, load: Callable[[], cv2.dnn.Net] = lambda: read_network(WEIGHTS.read_bytes())) -> None:
        self._load = load
        self._own = threading.local()

    def ink(self, rgb: Picture, region: Region, edges: Edges) -> Ink:
        """Return how surely each pixel is ink.

        Args:
            rgb: (H, W, 3) uint8.
            region: the line that shall go.
            edges: (left, top, right, bottom) of what is asked for; 0 where the network does not look.

        Returns:
            (bottom - top, right - left) float32, 0..1.
        """
        outline = np.array(region.outline)
        left, top, right, bottom = edges
        ink = np.zeros((bottom - top, right - left), np.float32)
        for window in line_windows(region.outline):
            found = self._found(_seen(window, rgb, outline))
            np.maximum(ink, window.back(found, edges), out=ink)
        return ink

    def _found(self, seen: NDArray[np.float32]) -> Ink:
        nets = self._own.__dict__.setdefault("nets", {})
        width = seen.shape[2]
        if width not in nets:  # each is laid out for one shape: to change that costs as much as a small window
            nets[width] = self._load()
        nets[width].setInput(_quartered(seen)[None])
        return _joined(np.asarray(nets[width].forward()[0], np.float32))


def _seen(window: LineWindow, rgb: Picture, outline: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what the network sees of a window, (4, 64, width) float32."""
    shown = window.look(rgb)
    mean, spread = (values.ravel() for values in cv2.meanStdDev(shown))
    middle = mean.mean()
    deviation = math.sqrt((spread**2 + (mean - middle) ** 2).mean() * shown.size / (shown.size - 1))
    corners = (outline - 0.5) @ window.matrix[:, :2].T + window.matrix[:, 2]
    inside = cv2.fillPoly(np.zeros((HEIGHT_PX, window.width_px), np.float32), [np.rint(corners).astype(np.int32)], 1)
    scaled = cv2.addWeighted(shown, 1 / (deviation + DOUBT), shown, 0, -middle / (deviation + DOUBT), dtype=cv2.CV_32F)
    return np.asarray(np.dstack((scaled, inside)).transpose(2, 0, 1), np.float32)


def _quartered(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (C, H, W) as (4 C, H / 2, W / 2): four pixels, two by two, at one place. `torch.nn.PixelUnshuffle`."""
    channels, height, width = pixels.shape
    pairs = pixels.reshape(channels, height // 2, 2, width // 2, 2)
    return np.ascontiguousarray(pairs.transpose(0, 2, 4, 1, 3).reshape(4 * channels, height // 2, width // 2))


def _joined(quarters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (4, H, W) as (2 H, 2 W): what `_quartered` makes of one channel, back."""
    _, height, width = quarters.shape
    return np.ascontiguousarray(
        quarters.reshape(2, 2, height, width).transpose(2, 0, 3, 1).reshape(2 * height, 2 * width)
    )
