"""PaddleOCR's own pipeline on ONNX Runtime or paddlepaddle; the reference that other engines are held to."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import bounds
from ocr_service.engines import EngineOptions, Line, ReadOptions, Word, refuse, weights
from ocr_service.engines.model_folders import Runtime

_WARM_UP_SIDE = 640
_SIGACTION_BYTES = 256  # or fewer has the C library's struct


class PaddleEngine:
    """PaddleOCR. Its pipeline keeps state: one call at a time per instance."""

    name = "paddle"
    calls_at_once = 1

    def __init__(self, pipeline: Any, model: str):
        self.model = model
        self._pipeline = pipeline

    def warm_up(self) -> None:
        """Run once over a blank page; there is nothing to compile."""
        self.read(np.full((_WARM_UP_SIDE, _WARM_UP_SIDE, 3), 255, np.uint8), ReadOptions())

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        """Read a picture; see `TextEngine.read`."""
        refuse(self.name, options, "textline_orientation", "doc_orientation", "doc_unwarping")
        page = self._pipeline.predict(
            np.ascontiguousarray(rgb[:, :, ::-1]),  # PaddleOCR takes BGR
            text_det_limit_side_len=options.det_limit_side_len,
            text_det_limit_type=options.det_limit_type,
            text_det_thresh=options.det_thresh,
            text_det_box_thresh=options.det_box_thresh,
            text_det_unclip_ratio=options.det_unclip_ratio,
            text_rec_score_thresh=options.rec_score_thresh,
            return_word_box=options.word_boxes,
        )[0]
        return lines(page)

    def close(self) -> None:
        """Drop the pipeline with its sessions."""
        self._pipeline.close()
        self._pipeline = None


def load(*, threads: int, cache: Path | None, options: EngineOptions) -> PaddleEngine:
    """Build the pipeline; see `engines.load`."""
    text, runtime = options.text, options.paddle_runtime
    detection, recognition = text.folders(cache, runtime)
    paddleocr = import_paddleocr(cache or weights.default_cache())
    pipeline = paddleocr.PaddleOCR(
        engine=runtime,
        engine_config=told_runtimes(threads)[runtime],
        text_detection_model_name=text.detection,
        text_detection_model_dir=str(detection),
        text_recognition_model_name=text.recognition,
        text_recognition_model_dir=str(recognition),
        use_doc_orientation_classify=False,
        use_doc_unwarping=False,
        use_textline_orientation=False,
    )
    return PaddleEngine(pipeline, text.model)


def told_runtimes(threads: int) -> dict[Runtime, dict[str, int]]:
    """Return what paddlex tells each runtime. Where it finds a GPU that the runtime can use, it takes that.

    With two threads each, two calls at once took half as long again on two cores: so one, if the engine may choose.
    """
    threads = threads or 1
    return {
        "onnxruntime": {"intra_op_num_threads": threads, "inter_op_num_threads": 1},
        "paddle_static": {"cpu_threads": threads},
    }


def lines(page: Any) -> list[Line]:
    """Return the lines of paddlex's OCRResult."""
    found = zip(page["rec_polys"], page["rec_texts"], page["rec_scores"], strict=True)
    return [Line(_polygon(p), text, float(s), words=_words(page, i)) for i, (p, text, s) in enumerate(found)]


def import_paddleocr(cache: Path) -> Any:
    """Import PaddleOCR, quiet and offline, and paddlepaddle, which paddlex imports sooner or later if it is installed.

    All of this is read once, at import. paddlex writes to the home folder by default and, before the first model, asks
    model hosters whether they are there. ONNX Runtime from 1.29 on reports to its maker and leaves a device id behind.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("PADDLE_PDX_CACHE_HOME", str(cache / "paddlex"))
    os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    with _process_kept():
        if importlib.util.find_spec("paddle"):
            importlib.import_module("paddle")
        import paddleocr

    for name in ("paddlex", "paddleocr"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return paddleocr


@contextmanager
def _process_kept() -> Iterator[None]:
    """Undo, in any thread, what is done meanwhile to the process's handlers of signals and level of logging.

    paddlepaddle takes SIGTERM when it is imported: the process would end there and then, as if it had died. It also
    keeps all that is no warning out of the log.
    """
    level = logging.root.level
    libc = ctypes.CDLL(None)
    kept = {number: ctypes.create_string_buffer(_SIGACTION_BYTES) for number in signal.valid_signals()}
    for number, action in kept.items():
        libc.sigaction(number, None, action)
    try:
        yield
    finally:
        logging.root.setLevel(level)
        for number, action in kept.items():
            libc.sigaction(number, action, None)


def _words(page: Any, index: int) -> tuple[Word, ...]:
    if "text_word" not in page:
        return ()
    boxes = page["text_word_region"][index]  # upright, their corners in either direction
    words = zip(page["text_word"][index], boxes, strict=True)
    return tuple(Word(bounds(_polygon(box)).polygon(), text) for text, box in words if text.strip())


def _polygon(points: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)
