"""The models of PP-StructureV3: which the operator's folder holds, and the pipeline's configuration for them.

Each is a folder, see `model_folders`. The models that find and read text are those of the engine `rapid`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocr_service.engines.model_folders import runtime

NEEDED = (
    "PP-DocLayout_plus-L",
    "PP-LCNet_x1_0_table_cls",
    "SLANeXt_wired",
    "SLANet_plus",
    "RT-DETR-L_wired_table_cell_det",
    "RT-DETR-L_wireless_table_cell_det",
)
COLUMNS = "PP-DocBlockLayout"
FORMULAS = ("PP-FormulaNet_plus-L", "PP-FormulaNet_plus-M", "PP-FormulaNet_plus-S")

_OFF = (
    "use_doc_preprocessor",
    "use_doc_orientation_classify",
    "use_doc_unwarping",
    "use_textline_orientation",
    "use_seal_recognition",
    "use_chart_recognition",
)


def missing(folder: Path) -> list[str]:
    """Return the names of the models without which there is no engine."""
    return [name for name in NEEDED if runtime(folder / name) is None]


def formula_model(folder: Path) -> str | None:
    """Return the name of the largest model for formulas that is there."""
    return next((name for name in FORMULAS if runtime(folder / name)), None)


def needs_paddle(folder: Path) -> bool:
    """Say whether a model that will be used is run by paddlepaddle."""
    return any(runtime(folder / name) == "paddle_static" for name in (*NEEDED, COLUMNS, formula_model(folder) or ""))


def configured(config: Mapping[str, Any], folder: Path, text: Mapping[str, tuple[str, Path]]) -> dict[str, Any]:
    """Return paddlex's configuration of PP-StructureV3 with models of this machine only.

    What has no folder gets one that is not there: paddlex fails then, where it would download without.

    Args:
        config: as paddlex has it.
        folder: with the models.
        text: by the name of the module ("text_detection", "text_recognition"), the model's name and folder.
    """
    formula = formula_model(folder)
    chosen = {**text, **({"formula_recognition": (formula, folder / formula)} if formula else {})}
    return {
        **_placed(config, folder, chosen),
        **dict.fromkeys(_OFF, False),
        "use_table_recognition": True,
        "use_formula_recognition": formula is not None,
        "use_region_detection": runtime(folder / COLUMNS) is not None,
    }


def _placed(config: Mapping[str, Any], folder: Path, chosen: Mapping[str, tuple[str, Path]]) -> dict[str, Any]:
    inner = {key: _placed(value, folder, chosen) for key, value in config.items() if isinstance(value, Mapping)}
    placed = {**config, **inner}
    if "model_name" in placed:
        name, place = chosen.get(placed["module_name"], (placed["model_name"], folder / placed["model_name"]))
        placed |= {"model_name": name, "model_dir": str(place), "engine": runtime(place) or "onnxruntime"}
    return placed | {key: False for key in _OFF if key in placed}
