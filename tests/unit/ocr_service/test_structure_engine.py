"""The engine `structure` with a pipeline that is a small class, what is missing where it cannot be used, its models."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cleanplate.contract.problems import EngineUnavailable, Invalid
from ocr_service import engines
from ocr_service.engines import ReadOptions, needs, structure_models
from ocr_service.engines.needs import EngineOptions, StructureOptions
from ocr_service.engines.structure import StructureEngine
from ocr_service.settings import OcrSettings
from tests.fakes.text_models import put

PAGE = np.full((100, 200, 3), (255, 0, 0), np.uint8)
TEXT = {"text_detection": ("det", Path("/d")), "text_recognition": ("rec", Path("/r"))}


class Pipeline:
    """Gives a LayoutParsingResultV2 with one block, and paints over what it was given, as paddlex does."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.seen: list[int] = []

    def predict(self, bgr: Any, **told: Any) -> list[dict[str, Any]]:
        self.told, self.seen = told, bgr[0, 0].tolist()
        bgr[:] = 7
        corners = np.array([[1, 2], [9, 2], [9, 8], [1, 8]])
        read = {"rec_polys": [corners], "rec_texts": ["Hello"], "rec_scores": [0.9]}
        block = SimpleNamespace(label="text", content="Hello", bbox=[1, 2, 9, 8])
        return [{"parsing_res_list": [block], "overall_ocr_res": read}]


def reason(folder: Path | None) -> str:
    return needs.structure(EngineOptions(structure=StructureOptions(folder)))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "STRUCTURE_PACKAGES", ("json",))


def test_a_page_is_read_from_a_copy_with_the_pipelines_own_limits() -> None:
    pipeline = Pipeline()
    (piece,) = StructureEngine(pipeline, formulas=False).page(PAGE, ReadOptions(det_box_thresh=0.7)).pieces
    assert (piece.markdown, piece.box and piece.box.width) == ("Hello", 8)
    assert pipeline.seen == [0, 0, 255]
    assert (PAGE == (255, 0, 0)).all()
    assert pipeline.told["text_det_box_thresh"] == 0.7
    assert "text_det_limit_side_len" not in pipeline.told
    assert pipeline.told["use_table_orientation_classify"] is False


def test_a_page_is_looked_at_as_the_options_say() -> None:
    pipeline = Pipeline()
    StructureEngine(pipeline, formulas=False).page(PAGE, ReadOptions(det_limit_side_len=640))
    assert (pipeline.told["text_det_limit_side_len"], pipeline.told["text_det_limit_type"]) == (640, "max")


def test_lines_are_read_without_the_models_for_the_rest() -> None:
    pipeline = Pipeline()
    (line,) = StructureEngine(pipeline, formulas=True).read(PAGE, ReadOptions())
    assert (line.text, line.polygon[2], line.score) == ("Hello", (9.0, 8.0), 0.9)
    assert pipeline.told["use_table_recognition"] is False
    assert pipeline.told["use_formula_recognition"] is False


@pytest.mark.parametrize("field", ["doc_orientation", "doc_unwarping", "textline_orientation", "word_boxes"])
def test_what_it_has_no_model_for_is_refused(field: str) -> None:
    with pytest.raises(Invalid) as caught:
        StructureEngine(Pipeline(), formulas=True).page(PAGE, ReadOptions(**{field: True}))  # type: ignore[arg-type]
    assert caught.value.field == field


def test_missing_packages_are_named_with_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "STRUCTURE_PACKAGES", ("json", "no_such_bs4"))
    assert reason(None) == "not installed: no_such_bs4; extras/structure.lock has them"


@pytest.mark.usefixtures("installed")
def test_missing_models_are_named_one_by_one(tmp_path: Path) -> None:
    assert reason(None) == "not set: OCR_STRUCTURE_MODELS"
    put(tmp_path, *structure_models.NEEDED[1:])
    (tmp_path / structure_models.NEEDED[0]).mkdir()
    assert reason(tmp_path).endswith(f"a model for: {structure_models.NEEDED[0]}")
    for part in ("inference.yml", "inference.onnx"):
        (tmp_path / structure_models.NEEDED[0] / part).touch()
    assert reason(tmp_path) == ""


@pytest.mark.usefixtures("installed")
def test_paddlepaddle_is_asked_for_only_where_a_model_needs_it(tmp_path: Path) -> None:
    put(tmp_path, *structure_models.NEEDED)
    put(tmp_path, structure_models.FORMULAS[-1], runtime="paddle_static")
    assert reason(tmp_path) == "not installed: paddle"
    put(tmp_path, structure_models.FORMULAS[0])
    assert reason(tmp_path) == ""


def test_it_cannot_be_loaded_where_it_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = engines.EngineEntry((), (), "", engines.ENGINES["structure"].missing)
    monkeypatch.setattr(engines.table, "ENGINES", {"structure": entry})
    monkeypatch.setattr(needs, "STRUCTURE_PACKAGES", ())
    options = OcrSettings(structure_models=tmp_path).engine_options()
    with pytest.raises(EngineUnavailable, match=structure_models.NEEDED[0]):
        engines.load("structure", options=options)


def test_every_model_is_one_of_this_machine(tmp_path: Path) -> None:
    put(tmp_path, *structure_models.NEEDED, structure_models.COLUMNS)
    put(tmp_path, structure_models.FORMULAS[1], runtime="paddle_static")
    config = {
        "use_doc_preprocessor": True,
        "SubModules": {
            "LayoutDetection": {
                "module_name": "layout_detection",
                "model_name": "PP-DocLayout_plus-L",
                "model_dir": None,
            },
            "ChartRecognition": {"module_name": "chart_recognition", "model_name": "PP-Chart2Table", "model_dir": None},
        },
        "SubPipelines": {
            "GeneralOCR": {
                "use_textline_orientation": True,
                "SubModules": {"TextDetection": {"module_name": "text_detection", "model_name": "big", "thresh": 0.3}},
            },
            "FormulaRecognition": {
                "SubModules": {"FormulaRecognition": {"module_name": "formula_recognition", "model_name": "PP-F"}}
            },
        },
    }
    told = structure_models.configured(config, tmp_path, TEXT)
    layout, chart = told["SubModules"]["LayoutDetection"], told["SubModules"]["ChartRecognition"]
    assert (layout["model_dir"], layout["engine"]) == (str(tmp_path / "PP-DocLayout_plus-L"), "onnxruntime")
    assert chart["model_dir"] == str(tmp_path / "PP-Chart2Table")
    ocr = told["SubPipelines"]["GeneralOCR"]
    text = ocr["SubModules"]["TextDetection"]
    assert (text["model_name"], text["model_dir"], text["thresh"]) == ("det", "/d", 0.3)
    assert ocr["use_textline_orientation"] is False
    formula = told["SubPipelines"]["FormulaRecognition"]["SubModules"]["FormulaRecognition"]
    assert (formula["model_name"], formula["engine"]) == ("PP-FormulaNet_plus-M", "paddle_static")
    switched = {name: told[name] for name in told if name.startswith("use_")}
    on = {"use_table_recognition", "use_formula_recognition", "use_region_detection"}
    assert {name for name, value in switched.items() if value} == on
    assert {"use_doc_preprocessor", "use_doc_unwarping", "use_chart_recognition"} <= set(switched)


def test_without_their_models_formulas_and_columns_are_off(tmp_path: Path) -> None:
    told = structure_models.configured({}, tmp_path, TEXT)
    assert (told["use_formula_recognition"], told["use_region_detection"]) == (False, False)
