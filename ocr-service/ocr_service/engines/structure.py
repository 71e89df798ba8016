"""PP-StructureV3: a page's titles, paragraphs, tables, formulas and pictures, from models in the operator's folder.

paddlex's own pipeline, one model after the other on ONNX Runtime or paddlepaddle; see `structure_models`. Nothing is
downloaded. Text is found and read by the models of the engine `rapid`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_service.engines import EngineOptions, Line, PageText, ReadOptions, refuse, structure_models, weights
from ocr_service.engines.paddle import import_paddleocr, lines, told_runtimes
from ocr_service.structures import pieces

MODEL = "PP-StructureV3"
_WARM_UP_SIDE = 640
_ABSENT = ("textline_orientation", "doc_orientation", "doc_unwarping", "word_boxes")


class StructureEngine:
    """See `PageEngine`. Its pipeline keeps state: one call at a time per instance."""

    name, model, calls_at_once = "structure", MODEL, 1

    def __init__(self, pipeline: Any, *, formulas: bool):
        self._pipeline = pipeline
        self._formulas = formulas

    def warm_up(self) -> None:
        """Run once over a blank page."""
        self.page(np.full((_WARM_UP_SIDE, _WARM_UP_SIDE, 3), 255, np.uint8), ReadOptions())

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        """Read the lines of a picture as the engine `paddle` does."""
        only_text = dict.fromkeys(("use_table_recognition", "use_formula_recognition", "use_region_detection"), False)
        return lines(self._parsed(rgb, options, **_limits(options), **only_text)["overall_ocr_res"])

    def page(self, rgb: NDArray[np.uint8], options: ReadOptions) -> PageText:
        """Read a page. Its text is looked for at full size, unless the options say something else."""
        told = _limits(options)
        parsed = self._parsed(rgb, options, **(told if told != _limits(ReadOptions()) else {}))
        height, width = rgb.shape[:2]
        return PageText(tuple(pieces(parsed["parsing_res_list"], width, height, formulas=self._formulas)))

    def close(self) -> None:
        """Drop the pipeline with its sessions."""
        self._pipeline.close()
        self._pipeline = None

    def _parsed(self, rgb: NDArray[np.uint8], options: ReadOptions, **more: Any) -> Any:
        """Return paddlex's LayoutParsingResultV2."""
        refuse(self.name, options, *_ABSENT)
        return self._pipeline.predict(
            rgb[:, :, ::-1].copy(),  # BGR, and the pipeline paints over formulas
            text_det_thresh=options.det_thresh,
            text_det_box_thresh=options.det_box_thresh,
            text_det_unclip_ratio=options.det_unclip_ratio,
            text_rec_score_thresh=options.rec_score_thresh,
            use_table_orientation_classify=False,  # a model of its own; pages are upright
            **more,
        )[0]


def _limits(options: ReadOptions) -> dict[str, Any]:
    return {"text_det_limit_side_len": options.det_limit_side_len, "text_det_limit_type": options.det_limit_type}


def load(*, threads: int, cache: Path | None, options: EngineOptions) -> StructureEngine:
    """Build the pipeline; see `engines.load`."""
    folder = options.structure.models
    assert folder is not None  # `usable` has seen it
    detection, recognition = options.text.folders(cache)
    text = {
        "text_detection": (options.text.detection, detection),
        "text_recognition": (options.text.recognition, recognition),
    }
    paddleocr = import_paddleocr(cache or weights.default_cache())
    from paddlex.inference import load_pipeline_config

    config = structure_models.configured(load_pipeline_config(MODEL), folder, text)
    runtimes = told_runtimes(threads)
    pipeline = paddleocr.PPStructureV3(paddlex_config=config, engine="onnxruntime", engine_config=runtimes)
    return StructureEngine(pipeline, formulas=config["use_formula_recognition"])
