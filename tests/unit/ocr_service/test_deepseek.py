"""DeepSeek-OCR in process, with a model that is a function, and what is missing where it is not there."""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cleanplate.contract.problems import BadUpstream, Invalid
from ocr_service.engines import ReadOptions, needs, usable
from ocr_service.engines.deepseek import LocalDeepSeek
from ocr_service.engines.needs import DeepSeekOptions, EngineOptions

PAGE = np.full((100, 200, 3), 255, np.uint8)
SAID = "<|ref|>title<|/ref|><|det|>[[0, 0, 999, 499]]<|/det|>\n# Title"


class Model:
    """Says what it is told to, after a look at the picture that it was given by its name."""

    def __init__(self, says: Any = SAID):
        self.says = says
        self.told: dict[str, Any] = {}
        self.seen: tuple[int, int] = (0, 0)

    def __call__(self, **told: Any) -> Any:
        self.told = told
        with Image.open(told["image_file"]) as picture:
            self.seen = picture.size
        assert Path(told["output_path"]).is_dir()
        return self.says


def test_the_model_is_told_how_to_look() -> None:
    model = Model()
    options = DeepSeekOptions(base_size=512, image_size=320, crop_mode=False, prompt="<|grounding|>Read this.")
    (piece,) = LocalDeepSeek(model, options).page(PAGE, ReadOptions()).pieces
    assert (piece.markdown, piece.label, piece.box and piece.box.width) == ("# Title", "title", 200)
    assert model.seen == (200, 100)
    told = [model.told[name] for name in ("base_size", "image_size", "crop_mode", "prompt", "eval_mode")]
    assert told == [512, 320, False, "<image>\n<|grounding|>Read this.", True]
    assert not Path(model.told["image_file"]).exists()


def test_lines_are_read_with_another_question() -> None:
    model = Model("<|ref|>SALE<|/ref|><|det|>[[0, 0, 999, 999]]<|/det|>")
    (line,) = LocalDeepSeek(model, DeepSeekOptions()).read(PAGE, ReadOptions())
    assert (line.text, line.polygon[2]) == ("SALE", (200, 100))
    assert "OCR this image" in model.told["prompt"]


def test_a_model_that_says_nothing_is_a_clear_problem() -> None:
    with pytest.raises(BadUpstream):
        LocalDeepSeek(Model(None), DeepSeekOptions()).page(PAGE, ReadOptions())


def test_a_model_that_is_let_go_is_not_referred_to_when_its_memory_is_given_back() -> None:
    model, left = Model(), []
    known = weakref.ref(model)
    engine = LocalDeepSeek(model, DeepSeekOptions(), lambda: left.append(known()))
    del model
    engine.close()
    assert left == [None]


def test_what_it_cannot_be_told_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        LocalDeepSeek(Model(), DeepSeekOptions()).read(PAGE, ReadOptions(det_box_thresh=0.1))
    assert caught.value.field == "det_box_thresh"


def test_it_says_what_is_missing_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reason(**more: Any) -> str:
        return usable("deepseek", EngineOptions(deepseek=replace(DeepSeekOptions(backend="hf"), **more)))[1]

    monkeypatch.setattr(needs, "HF_PACKAGES", ("no_such_torch",))
    assert reason() == "not installed: no_such_torch"
    assert reason(flash_attention=True) == "not installed: no_such_torch, flash_attn"
    monkeypatch.setattr(needs, "HF_PACKAGES", ("json",))
    assert reason().startswith("no weights: OCR_DEEPSEEK_WEIGHTS")
    assert reason(weights=tmp_path).startswith("no weights")
    (tmp_path / "config.json").write_text("{}")
    assert "OCR_DEEPSEEK_TRUST_CODE" in reason(weights=tmp_path)
    assert reason(weights=tmp_path, trust_code=True) == ""
