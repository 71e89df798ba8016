"""RapidOCR's steps on OpenVINO, with every number as in PaddleOCR, so that the text is the same.

Of RapidOCR this takes the weights, the box finder, the cropping, the CTC decoder and the word boxes. Its own scaling,
padding and thresholds differ from PaddleOCR's and are not used, nor is its OpenVINO session, which cannot be told to
stay with 32-bit floats: OpenVINO takes bf16 by itself where the processor has it, and a third of the pictures change.
Who prefers the speed asks for it.

The networks run on the exact shapes that PaddleOCR uses. Rounding them up to fewer shapes was measured and left out:
the padding changes the text of 7 pictures in 48 (line widths to 32 px) or 17 (pictures to 64 px), and sixty pictures
of new sizes took no longer, one by one, than pictures of sizes seen before.

On two cores a call with two threads takes 0.50 s instead of 0.78; two such calls at once take as long as two with one
thread each, since OpenVINO's threads are a pool of the whole process. The text of 70 pictures stayed the same. More
cores were not measured, so it is for who asks: a server of many clients is not faster by it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino
from numpy.typing import NDArray
from rapidocr.cal_rec_boxes import CalRecBoxes
from rapidocr.ch_ppocr_det.utils import DBPostProcess
from rapidocr.ch_ppocr_rec.typings import TextRecOutput
from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode
from rapidocr.utils.process_img import get_rotate_crop_image

from cleanplate.contract.geometry import Box
from cleanplate.contract.problems import EngineUnusable
from cleanplate.runtime.cores import cores
from ocr_service.engines import EngineOptions, Line, ReadOptions, Word, curves, refuse, weights
from ocr_service.engines.needs import Precision
from ocr_service.engines.ribbons import Curve
from ocr_service.engines.text_models import TextModels

# ImageNet's, for the channels B, G, R in this order, as PaddleOCR does it.
_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_ALPHA, _BETA = (1 / 255 / _STD).astype(np.float32), (-_MEAN / _STD).astype(np.float32)
_STRIDE = 32
_LONGEST_SIDE = 4000
_LINE_HEIGHT, _LINE_WIDTH, _LONGEST_LINE = 48, 320, 3200
_LINES_AT_ONCE = 6
_ORIENTATION_WIDTH = 192
_SURELY_UPSIDE_DOWN = 0.9
_SAME_ROW_PX = 10
_KERNELS_KEPT = 200  # by default 5000: every new shape then costs some 5 MB that never come back
_WARM_UP_SIDE = 640
_MOST_THREADS = 4  # of a call that may choose; more were not measured
_PRECISIONS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}

logging.getLogger("RapidOCR").setLevel(logging.ERROR)

Crop = NDArray[np.uint8]
Quad = NDArray[np.int32]


class RapidEngine:
    """RapidOCR on OpenVINO. An instance has one inference request per network: one call at a time."""

    name = "rapid"
    calls_at_once = 1

    def __init__(self, text: TextModels, *, threads: int = 1, precision: Precision = "fp32"):
        core = openvino.Core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise EngineUnusable("this processor cannot calculate in bf16, which takes AVX512-BF16 or AMX")
        threads = threads or min(cores(), _MOST_THREADS)
        how = {"INFERENCE_PRECISION_HINT": _PRECISIONS[precision], "INFERENCE_NUM_THREADS": threads}
        self.model = text.model
        self._decode = CTCLabelDecode(character=text.characters())
        self._detector = _Network(core, text.network(text.detection), how)
        self._recognizer = _Network(core, text.network(text.recognition), how)
        self._orientation = _Network(core, weights.embedded(weights.ORIENTATION), how)
        if self._recognizer.classes != len(self._decode.character):
            raise EngineUnusable(f"{text.recognition} has another number of classes than its list of characters")

    def warm_up(self) -> None:
        """Let OpenVINO pack the weights and compile its kernels, on a page with something like text."""
        page = np.full((_WARM_UP_SIDE, _WARM_UP_SIDE, 3), 255, np.uint8)
        cv2.putText(page, "cleanplate 0123", (40, 320), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (0, 0, 0), 4)
        self.read(page, ReadOptions())

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        """Read a picture; see `TextEngine.read`."""
        refuse(self.name, options, "doc_orientation", "doc_unwarping")
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        marks = self._marks(bgr, options)
        quads = _in_order(_boxes(marks, options, *bgr.shape[1::-1]))
        crops = [_crop(bgr, quad) for quad in quads]
        flags: Sequence[bool | None] = [None] * len(crops)
        if options.textline_orientation:
            flags = self._upside_down(crops)
            crops = [np.rot90(crop, 2) if flag else crop for crop, flag in zip(crops, flags, strict=True)]
        corners = [np.roll(quad, 2, axis=0) if flag else quad for quad, flag in zip(quads, flags, strict=True)]
        texts, words = self._recognize(crops, corners, options.word_boxes)
        lines = [
            Line(_polygon(quad), text, score, flag, found)
            for quad, (text, score), flag, found in zip(quads, texts, flags, words, strict=True)
        ]
        bent = [self._bent(bgr, curve, options) for curve in curves.find(marks, options, *bgr.shape[1::-1])]
        return [line for line in curves.instead(lines, bent) if line.score >= options.rec_score_thresh]

    def close(self) -> None:
        """Drop the networks; OpenVINO frees them with their last reference."""
        del self._detector, self._recognizer, self._orientation

    def _marks(self, bgr: NDArray[np.uint8], options: ReadOptions) -> NDArray[np.float32]:
        """Return how surely each pixel of the scaled picture belongs to a line, (H, W) float32, 0 to 1."""
        scaled = cv2.resize(bgr, _detection_size(bgr.shape[1], bgr.shape[0], options))
        planes = scaled.astype(np.float32) * _ALPHA + _BETA
        return np.asarray(self._detector(planes.transpose(2, 0, 1)[None])[0, 0])

    def _bent(self, bgr: NDArray[np.uint8], curve: Curve, options: ReadOptions) -> Line:
        """Read a bent line in both directions, apart from the straight ones, whose text is to be PaddleOCR's."""
        ways = curve, curve.reversed()
        crops = [way.flat(bgr) for way in ways]
        corners = [np.array(Box(0, 0, crop.shape[1], crop.shape[0]).polygon()) for crop in crops]
        texts, words = self._recognize(crops, corners, options.word_boxes)
        back = texts[1][1] > texts[0][1]
        placed = tuple(Word(ways[back].placed(word.polygon), word.text) for word in words[back])
        looked = back if back or options.textline_orientation else None
        return Line(curve.outline(), *texts[back], looked, placed)

    def _upside_down(self, crops: Sequence[Crop]) -> list[bool]:
        strips = [_strip(crop, _ORIENTATION_WIDTH, _ORIENTATION_WIDTH) for crop in crops]
        return [bool(self._orientation(strip[None])[0, 1] > _SURELY_UPSIDE_DOWN) for strip in strips]

    def _recognize(
        self, crops: Sequence[Crop], corners: Sequence[Quad], word_boxes: bool
    ) -> tuple[list[tuple[str, float]], list[tuple[Word, ...]]]:
        """Read the crops in PaddleOCR's batches: its text depends a little on which lines share one.

        `corners` begin where the crop's top left corner lies in the picture.
        """
        texts: list[tuple[str, float]] = [("", 0.0)] * len(crops)
        words: list[tuple[Word, ...]] = [()] * len(crops)
        order = sorted(range(len(crops)), key=lambda i: _ratio(crops[i]))
        for start in range(0, len(order), _LINES_AT_ONCE):
            batch = order[start : start + _LINES_AT_ONCE]
            width = max(_line_width(crops[i]) for i in batch)
            classes = self._recognizer(np.stack([_strip(crops[i], _line_width(crops[i]), width) for i in batch]))
            read, columns = self._decode(
                classes,
                return_word_box=word_boxes,
                wh_ratio_list=[_ratio(crops[i]) for i in batch],
                max_wh_ratio=width / _LINE_HEIGHT,
            )
            for n, i in enumerate(batch):
                texts[i] = read[n]
                words[i] = _words(crops[i], corners[i], read[n][0], columns[n]) if word_boxes else ()
        return texts, words


class _Network:
    """One network and one inference request. (N, 3, H, W) float32 in, the first output out."""

    def __init__(self, core: openvino.Core, file: Path, how: Mapping[str, Any]):
        alone = {
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # several instances would be pinned to the same core
            "CPU_RUNTIME_CACHE_CAPACITY": _KERNELS_KEPT,
        }
        compiled = core.compile_model(str(file), "CPU", {**how, **alone})
        self._request = compiled.create_infer_request()
        last = compiled.output(0).partial_shape[-1]
        self.classes = last.get_length() if last.is_static else None

    def __call__(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = self._request.infer([np.ascontiguousarray(planes)])[0]
        return result


def load(*, threads: int, cache: Path | None, options: EngineOptions) -> RapidEngine:
    """Load the networks; see `engines.load`. Nothing is prepared, so the cache is not used."""
    del cache
    return RapidEngine(options.text, threads=threads, precision=options.precision)


def _detection_size(width: int, height: int, options: ReadOptions) -> tuple[int, int]:
    """Return the (width, height) at which boxes are looked for, as DetResizeForTest in paddlex computes it."""
    limit = options.det_limit_side_len
    if options.det_limit_type == "max":
        factor = min(1.0, limit / max(width, height))
    else:
        factor = max(1.0, limit / min(width, height))
    width, height = int(width * factor), int(height * factor)
    if max(width, height) > _LONGEST_SIDE:
        factor = _LONGEST_SIDE / max(width, height)
        width, height = int(width * factor), int(height * factor)
    return max(round(width / _STRIDE), 1) * _STRIDE, max(round(height / _STRIDE), 1) * _STRIDE


def _boxes(marks: NDArray[np.float32], options: ReadOptions, width: int, height: int) -> list[Quad]:
    finder = DBPostProcess(
        thresh=options.det_thresh, box_thresh=options.det_box_thresh, unclip_ratio=options.det_unclip_ratio
    )
    return list(finder.boxes_from_bitmap(marks, marks > options.det_thresh, width, height)[0])


def _in_order(quads: list[Quad]) -> list[Quad]:
    """Sort from top to bottom, and from left to right what begins within a few pixels, as SortQuadBoxes in paddlex."""
    placed = sorted(quads, key=lambda quad: (quad[0][1], quad[0][0]))
    for i in range(1, len(placed)):
        for j in range(i, 0, -1):
            same_row = abs(placed[j][0][1] - placed[j - 1][0][1]) < _SAME_ROW_PX
            if not same_row or placed[j][0][0] >= placed[j - 1][0][0]:
                break
            placed[j - 1], placed[j] = placed[j], placed[j - 1]
    return placed


def _crop(bgr: NDArray[np.uint8], quad: Quad) -> Crop:
    """Cut the line out and turn it level; lines at least 1.5 times as high as wide are turned by 90 degrees."""
    corners, _ = DBPostProcess().get_mini_boxes(quad)
    crop: Crop = get_rotate_crop_image(bgr, corners.astype(np.float32))
    return crop


def _ratio(crop: Crop) -> float:
    height, width = crop.shape[:2]
    return float(width / height)


def _line_width(crop: Crop) -> int:
    """Return the width at which PaddleOCR reads the line, in pixels."""
    return min(int(_LINE_HEIGHT * max(_LINE_WIDTH / _LINE_HEIGHT, _ratio(crop))), _LONGEST_LINE)


def _strip(crop: Crop, widest: int, padded: int) -> NDArray[np.float32]:
    """Scale a line to the height that the networks want, -1 to 1, and fill up with 0 to the right."""
    width = widest if widest == _LONGEST_LINE else min(math.ceil(_LINE_HEIGHT * _ratio(crop)), widest)
    strip = np.zeros((3, _LINE_HEIGHT, padded), np.float32)
    scaled = cv2.resize(crop, (width, _LINE_HEIGHT)).astype(np.float32)
    strip[:, :, :width] = (scaled.transpose(2, 0, 1) / 255 - 0.5) / 0.5
    return strip


def _words(crop: Crop, quad: Quad, text: str, columns: Any) -> tuple[Word, ...]:
    """Place the words of one line; RapidOCR wants lists of lines."""
    line = TextRecOutput(imgs=[crop], txts=(text,), scores=(1.0,), word_results=(columns,))
    placed = CalRecBoxes()([crop], np.array([quad], np.float32), line).word_results
    return tuple(Word(_polygon(box), word) for word, _, box in (placed[0] if placed else ()))


def _polygon(points: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)
