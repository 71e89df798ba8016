"""One page as PaddleX's OCR pipeline tells it: `prunedResult`, and pictures of what was found."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cleanplate.contract.geometry import Point
from cleanplate.contract.messages import DetectedRegion
from ocr_service.detect import Reading, region
from ocr_service.engines import ReadOptions

JPEG_QUALITY = 90
MAX_SIDE_LIMIT = 4000
_OUTLINE = (230, 30, 60)


def page_result(rgb: NDArray[np.uint8], reading: Reading, options: ReadOptions, *, drawn: bool) -> dict[str, Any]:
    """Return one of `ocrResults`.

    Args:
        rgb: (H, W, 3) uint8, the page.
        reading: what was read in it.
        options: how it was read; with `word_boxes` each line's words come along.
        drawn: whether the page, and the page with what was found, come along as JPEG in base64.
    """
    regions = [region(line, f"r{i}") for i, line in enumerate(reading.lines, 1)]
    return {
        "prunedResult": pruned(regions, options, reading.quarter_turns),
        "ocrImage": _jpeg(_outlined(rgb, regions)) if drawn else None,
        "docPreprocessingImage": None,
        "inputImage": _jpeg(Image.fromarray(rgb)) if drawn else None,
    }


def pruned(regions: Sequence[DetectedRegion], options: ReadOptions, quarter_turns: int = 0) -> dict[str, Any]:
    """Return the `prunedResult` of a page that had to be turned so often, against the clock, to be read."""
    polygons = [[[round(x), round(y)] for x, y in _quad(found.polygon)] for found in regions]
    result: dict[str, Any] = {
        "model_settings": {
            "use_doc_preprocessor": options.doc_orientation,
            "use_textline_orientation": options.textline_orientation,
        },
        "dt_polys": polygons,
        "text_det_params": {
            "limit_side_len": options.det_limit_side_len,
            "limit_type": options.det_limit_type,
            "thresh": options.det_thresh,
            "max_side_limit": MAX_SIDE_LIMIT,
            "box_thresh": options.det_box_thresh,
            "unclip_ratio": options.det_unclip_ratio,
        },
        "text_type": "general",
        "text_rec_score_thresh": options.rec_score_thresh,
        "return_word_box": options.word_boxes,
        "rec_texts": [found.text for found in regions],
        "rec_scores": [found.score for found in regions],
        "rec_polys": polygons,
        "rec_boxes": [_edges(found.polygon) for found in regions],
    }
    if options.textline_orientation:
        result["textline_orientation_angles"] = [int(abs(found.angle) > 90) for found in regions]
    if options.word_boxes:
        result["text_word_boxes"] = [[_edges(word.polygon) for word in found.words or ()] for found in regions]
        result["text_word"] = [[word.text for word in found.words or ()] for found in regions]
    if options.doc_orientation:
        used = {"use_doc_orientation_classify": True, "use_doc_unwarping": False}
        result["doc_preprocessor_res"] = {"model_settings": used, "angle": 90 * quarter_turns}
    return result


def _quad(polygon: Sequence[Point]) -> Sequence[Point]:
    """Return the four corners that this wire's clients count on: of a bent line those of the rectangle around it."""
    if len(polygon) == 4:
        return polygon
    corners = cv2.boxPoints(cv2.minAreaRect(np.array(polygon, np.float32)))
    along = np.subtract(polygon[len(polygon) // 2 - 1], polygon[0])
    sides = np.roll(corners, -1, axis=0) - corners
    first = int(np.argmax(sides @ along / np.maximum(np.linalg.norm(sides, axis=1), 1e-9)))
    return [(float(x), float(y)) for x, y in np.roll(corners, -first, axis=0)]


def _edges(polygon: Sequence[Point]) -> list[int]:
    """Return left, top, right and bottom."""
    xs, ys = zip(*polygon, strict=True)
    return [round(min(xs)), round(min(ys)), round(max(xs)), round(max(ys))]


def _outlined(rgb: NDArray[np.uint8], regions: Sequence[DetectedRegion]) -> Image.Image:
    image = Image.fromarray(rgb)
    draw = ImageDraw.Draw(image)
    for found in regions:
        draw.polygon([tuple(point) for point in found.polygon], outline=_OUTLINE, width=2)
    return image


def _jpeg(image: Image.Image) -> str:
    file = BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return base64.b64encode(file.getvalue()).decode()
