"""Which recognizer reads what, where models are, which is taken, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cleanplate.contract.problems import EngineUnavailable, Invalid
from ocr_service import engines
from ocr_service.engines import ENGINES, EngineOptions, catalog, languages, reading, recognizers
from ocr_service.engines.model_folders import FILES, runtime
from ocr_service.engines.text_models import TextModels
from ocr_service.inventory import inventory
from ocr_service.params import ReadParams
from ocr_service.settings import OcrSettings
from tests.fakes import text_models
from tests.fakes.text_models import put

KOREAN = "korean_PP-OCRv5_mobile_rec"


def options(folder: Path, **settings: Any) -> EngineOptions:
    return OcrSettings(models=folder, **settings).engine_options()


def chosen(folder: Path, *codes: str, engine: str = "rapid", **settings: Any) -> str:
    return reading(engine, options(folder, **settings), codes).text.recognizer


def refused(folder: Path, *codes: str, engine: str = "rapid", **settings: Any) -> Invalid:
    with pytest.raises(Invalid) as caught:
        reading(engine, options(folder, **settings), codes)
    assert caught.value.field == "languages"
    return caught.value


@pytest.mark.parametrize("code", ["ko", "KO", "ko-KR", "ko-Kore-KR", "ko-Hang"])
def test_a_language_is_found_whatever_its_region_and_case(code: str) -> None:
    assert recognizers.readers(code) == [KOREAN]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("zh", "PP-OCRv6_small_rec"),
        ("zh-Hant-TW", "PP-OCRv6_small_rec"),
        ("sr", "cyrillic_PP-OCRv5_mobile_rec"),
        ("sr-Cyrl-RS", "cyrillic_PP-OCRv5_mobile_rec"),
        ("sr-Latn", "PP-OCRv6_small_rec"),
        ("ku", "PP-OCRv6_small_rec"),
        ("ku-Arab", "arabic_PP-OCRv5_mobile_rec"),
        ("ru", "eslav_PP-OCRv5_mobile_rec"),
        ("hi", "devanagari_PP-OCRv5_mobile_rec"),
    ],
)
def test_the_script_decides_where_a_language_has_several(code: str, name: str) -> None:
    assert recognizers.readers(code)[0] == name


@pytest.mark.parametrize("code", ["he", "uz-Cyrl", "vi", "xx"])
def test_what_no_model_reads_is_refused(code: str, tmp_path: Path) -> None:
    assert refused(tmp_path, "en", code).detail == f"no model reads {code}"


def test_every_recognizer_reads_english_but_only_what_it_is_for_besides() -> None:
    alone = {name for name, model in recognizers.RECOGNIZERS.items() if not model.reads("en")}
    assert alone == set()
    assert not recognizers.RECOGNIZERS["PP-OCRv6_tiny_rec"].reads("ja")
    assert not recognizers.RECOGNIZERS["latin_PP-OCRv5_mobile_rec"].reads("cy")


def test_the_services_own_recognizer_reads_what_it_can(tmp_path: Path) -> None:
    put(tmp_path, KOREAN, "latin_PP-OCRv5_mobile_rec")
    assert chosen(tmp_path, "en", "fr", "zh-Hant") == ""
    assert chosen(tmp_path) == ""


def test_another_recognizer_is_taken_when_it_is_there(tmp_path: Path) -> None:
    missing = refused(tmp_path, "ko", "en")
    assert f"`cleanplate models fetch {KOREAN}`" in missing.detail
    assert missing.extra == {"model": KOREAN}
    put(tmp_path, KOREAN)
    told = reading("rapid", options(tmp_path), ("ko", "en"))
    assert (told.text.recognition, told.text.detection) == (KOREAN, "PP-OCRv6_small_det")
    assert told.text.model == KOREAN


def test_of_two_that_read_a_language_the_one_that_is_there_is_taken(tmp_path: Path) -> None:
    put(tmp_path, "cyrillic_PP-OCRv5_mobile_rec")
    assert chosen(tmp_path, "ru") == "cyrillic_PP-OCRv5_mobile_rec"


def test_the_embedded_recognizer_reads_what_a_lesser_tier_does_not(tmp_path: Path) -> None:
    put(tmp_path, "PP-OCRv6_tiny_det", "PP-OCRv6_tiny_rec")
    assert chosen(tmp_path, "en", tier="PP-OCRv6_tiny") == ""
    assert chosen(tmp_path, "ja", tier="PP-OCRv6_tiny") == "PP-OCRv6_small_rec"


def test_languages_that_no_single_model_reads_are_told_with_the_model_of_each(tmp_path: Path) -> None:
    put(tmp_path, KOREAN, "arabic_PP-OCRv5_mobile_rec")
    detail = refused(tmp_path, "ko", "ar").detail
    assert "ko: korean_PP-OCRv5_mobile_rec" in detail
    assert "ar: arabic_PP-OCRv5_mobile_rec" in detail


def test_models_for_paddlepaddle_count_for_paddlepaddle_only(tmp_path: Path) -> None:
    put(tmp_path, KOREAN, runtime="paddle_static")
    assert runtime(tmp_path / KOREAN) == "paddle_static"
    assert chosen(tmp_path, "ko", engine="paddle", paddle_runtime="paddle_static") == KOREAN
    refused(tmp_path, "ko", engine="paddle")
    refused(tmp_path, "ko", engine="rapid", paddle_runtime="paddle_static")
    assert refused(tmp_path, "zh", engine="paddle", paddle_runtime="paddle_static").extra["model"]


def test_an_engine_that_cannot_be_told_refuses_and_one_that_asks_takes_any(tmp_path: Path) -> None:
    assert "cannot be told" in refused(tmp_path, "en", engine="deepseek").detail
    assert reading("openai", options(tmp_path), ("tlh",)) == options(tmp_path)


def test_the_languages_of_an_engine_are_those_of_the_models_that_are_there(tmp_path: Path) -> None:
    before = languages("rapid", options(tmp_path)) or []
    assert {"zh", "ja", "en", "sr-latn"} <= set(before)
    assert "ko" not in before
    put(tmp_path, KOREAN)
    assert "ko" in (languages("rapid", options(tmp_path)) or [])
    assert languages("paddle", options(tmp_path, paddle_runtime="paddle_static")) == []
    assert languages("openai", options(tmp_path)) is None


@pytest.mark.parametrize("name", ["rapid", "paddle", "structure"])
def test_a_tier_that_is_not_there_is_named_with_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines.needs, "STRUCTURE_PACKAGES", ())
    reason = ENGINES[name].missing(options(tmp_path, tier="PP-OCRv6_medium"))
    assert "`cleanplate models fetch PP-OCRv6_medium_det PP-OCRv6_medium_rec`" in reason
    put(tmp_path, "PP-OCRv6_medium_det")
    assert "fetch PP-OCRv6_medium_rec`" in ENGINES[name].missing(options(tmp_path, tier="PP-OCRv6_medium"))


def test_paddlepaddle_is_asked_for_with_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = options(tmp_path, paddle_runtime="paddle_static")
    assert ENGINES["paddle"].missing(told) == "not installed: paddle; extras/paddle.lock has it"
    assert ENGINES["rapid"].missing(told) == ""
    (tmp_path / "site" / "paddle").mkdir(parents=True)
    (tmp_path / "site" / "paddle" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert "no model for paddlepaddle" in ENGINES["paddle"].missing(told)
    put(tmp_path, "PP-OCRv6_small_det", "PP-OCRv6_small_rec", runtime="paddle_static")
    assert ENGINES["paddle"].missing(told) == ""


def test_the_characters_of_a_model_come_from_its_folder(tmp_path: Path) -> None:
    text_models.recognizer(tmp_path, KOREAN, "가나\u3000'")
    models = TextModels(tmp_path, recognizer=KOREAN)
    assert models.characters() == ["가", "나", "\u3000", "'"]
    (tmp_path / KOREAN / "inference.yml").write_text("PostProcess: [")
    with pytest.raises(EngineUnavailable, match="has no list of characters"):
        models.characters()


@pytest.mark.parametrize("given", [[], ["k"], ["ko_KR"], ["en"] * 21, "en", [7]])
def test_codes_that_are_none_are_refused(given: object) -> None:
    with pytest.raises(ValueError, match="languages"):
        ReadParams.model_validate({"languages": given})
    assert ReadParams(languages=("ko", "zh-Hant")).options().languages == ("ko", "zh-Hant")
    assert ReadParams().options().languages == ()


def test_every_model_that_may_be_missing_can_be_fetched(tmp_path: Path) -> None:
    listed = {model["name"]: model for model in inventory(options(tmp_path))}
    assert set(recognizers.RECOGNIZERS) < set(listed)
    assert listed["PP-OCRv6_small_rec"]["files"] == []
    korean = listed[KOREAN]
    assert (korean["usable"], korean["where"]) == (False, str(tmp_path / KOREAN))
    assert [file["name"] for file in korean["files"]] == [f"{KOREAN}/inference.yml", f"{KOREAN}/inference.onnx"]
    assert korean["files"][1]["url"] == f"{catalog.HUB}/{KOREAN}_onnx/resolve/main/inference.onnx"
    measured = [model for model in listed.values() if model["files"] and model["files"][1]["sha256"]]
    assert {model["name"] for model in measured} == {name for name in catalog.TEXT if "v6_small" not in name}


def test_models_are_fetched_for_the_runtime_that_is_set(tmp_path: Path) -> None:
    put(tmp_path, KOREAN, runtime="paddle_static")
    listed = {model["name"]: model for model in inventory(options(tmp_path, paddle_runtime="paddle_static"))}
    assert listed[KOREAN]["usable"]
    small = listed["PP-OCRv6_small_det"]
    assert [Path(file["path"]).name for file in small["files"]] == list(FILES["paddle_static"])
    assert small["files"][1]["url"] == f"{catalog.HUB}/PP-OCRv6_small_det/resolve/main/inference.json"
    assert len(listed["PP-DocLayout_plus-L"]["files"]) == 2
    assert len(listed["PP-FormulaNet_plus-S"]["files"]) == 3
