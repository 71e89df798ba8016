"""The languages that a request names: each recognizer is a reader, what cannot be read is refused at once."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.fakes import text_models
from tests.fakes.pages import document
from tests.wires.conftest import Ocr, ServeOcr
from tests.wires.dark import SIGN
from tests.wires.test_documents import ended, submit

KOREAN = "korean_PP-OCRv5_mobile_rec"


@pytest.fixture(scope="module")
def live(serve_ocr: ServeOcr, tmp_path_factory: pytest.TempPathFactory) -> Ocr:
    models = tmp_path_factory.mktemp("models")
    text_models.recognizer(models, KOREAN, "가나")
    return serve_ocr(models=models, idle_unload_s=0.2)


def detect(live: Ocr, **params: Any) -> httpx.Response:
    return live.post("/v1/detect", files={"image": ("sign.png", SIGN)}, data={"params": json.dumps(params)})


def loaded(live: Ocr) -> dict[str, bool]:
    """Return which readers are in memory, by name."""
    lines = [line for line in live.get("/metrics").text.splitlines() if line.startswith("engine_loaded{")]
    return {line.split('"')[1]: line.endswith(" 1.0") for line in lines}


def test_a_recognizer_is_loaded_once_and_let_go_while_nobody_calls(live: Ocr) -> None:
    own, korean = live.settings.engine, f"{live.settings.engine}-{KOREAN}"
    assert detect(live, languages=["en", "zh-Hant"]).status_code == 200
    assert set(loaded(live)) == {own}
    for codes in (["ko"], ["KO-kr", "en"]):
        assert detect(live, languages=codes).status_code == 200
    assert set(loaded(live)) == {own, korean}
    live.until(lambda: not any(loaded(live).values()))
    assert detect(live, languages=["ko"]).status_code == 200


def test_a_document_is_read_in_its_languages(live: Ocr) -> None:
    view = ended(live, submit(live, document(2), languages=["ko"]))
    assert (view["status"], view["options"]["languages"]) == ("succeeded", ["ko"])


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (["ar"], "cleanplate models fetch arabic_PP-OCRv5_mobile_rec"),
        (["ko", "ja"], "no single model"),
        (["xx"], "no model reads xx"),
        (["not a code"], ""),
        ([], ""),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_done(live: Ocr, codes: list[str], words: str) -> None:
    form = {"params": json.dumps({"languages": codes})}
    for answer in (detect(live, languages=codes), live.post("/v1/documents", files={"file": SIGN}, data=form)):
        assert answer.status_code == 422, answer.text
        assert answer.json()["field"].startswith("languages")
        assert words in answer.json()["detail"]


def test_the_engines_say_what_they_read(serve_ocr: ServeOcr) -> None:
    told = serve_ocr().get("/v1/engines").json()["engines"]
    assert all("languages" in engine for engine in told)
    assert {engine["name"] for engine in told if "languages" in engine["can"]} == {
        "rapid", "paddle", "structure", "openai"
    }  # fmt: skip


def test_an_engine_that_cannot_be_told_refuses_them(serve_ocr: ServeOcr) -> None:
    asked = serve_ocr(deepseek_url="http://127.0.0.1:9/v1")
    answer = detect(asked, engine="deepseek", languages=["en"])
    assert (answer.status_code, answer.json()["field"]) == (422, "languages")
