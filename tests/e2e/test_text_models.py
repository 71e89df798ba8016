"""Tiers and recognizers from a folder, in the real ocr-service with real runtimes and tiny networks."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image, ImageDraw

from backend.cli.services import Services
from tests.conftest import ROOT
from tests.e2e.jobs import PATIENCE_S
from tests.e2e.pictures import png
from tests.fakes import text_models

pytestmark = pytest.mark.timeout(300)
PYTHON = ROOT / "ocr-service" / ".venv" / "bin" / "python"
KOREAN, TIER = "korean_PP-OCRv5_mobile_rec", "PP-OCRv6_tiny"
LOAD = """
import sys
from ocr_service import engines
from ocr_service.settings import OcrSettings
from cleanplate.contract.problems import EngineUnavailable
for name in ("rapid", "paddle"):
    try:
        engines.load(name, options=OcrSettings().engine_options())
    except EngineUnavailable as problem:
        print(problem.detail)
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An ocr-service whose tier and Korean recognizer are tiny networks."""
    models = tmp_path_factory.mktemp("models")
    text_models.detector(models, f"{TIER}_det")
    text_models.recognizer(models, f"{TIER}_rec", "xyz")
    text_models.recognizer(models, KOREAN, "가나다")
    environment = {"OCR_MODELS": str(models), "OCR_TIER": TIER, "OCR_LANES": "1"}
    folder = tmp_path_factory.mktemp("ocr")
    with Services(ROOT, folder, environ={**os.environ, **environment}, names=["ocr-service"]) as running:
        yield running.urls["ocr-service"]


def detected(url: str, **params: Any) -> dict[str, Any]:
    """Return what is read of a thick line."""
    image = Image.new("RGB", (800, 200), "white")
    ImageDraw.Draw(image).rectangle((60, 90, 660, 110), "black")
    form = {"params": json.dumps(params)}
    answer = requests.post(f"{url}/v1/detect", files={"image": png(image)}, data=form, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("engine", ["rapid", "paddle"])
def test_a_tier_and_a_languages_recognizer_read_in_their_own_letters(url: str, engine: str) -> None:
    plain = detected(url, engine=engine)
    assert (plain["model"], [region["text"] for region in plain["regions"]]) == (TIER, ["yxy"])
    korean = detected(url, engine=engine, languages=["ko"], word_boxes=True)
    assert (korean["model"], [region["text"] for region in korean["regions"]]) == (KOREAN, ["나가나"])
    assert korean["regions"][0]["polygon"] == plain["regions"][0]["polygon"]


def test_the_embedded_recognizer_reads_what_the_tier_does_not(url: str) -> None:
    assert detected(url, languages=["ja"])["model"] == "PP-OCRv6_small_rec"


def test_the_service_says_which_languages_it_reads(url: str) -> None:
    told = requests.get(f"{url}/v1/engines", timeout=PATIENCE_S).json()["engines"]
    read = {engine["name"]: engine["languages"] for engine in told}
    assert {"ko", "ja", "fr"} <= set(read["rapid"])
    assert read["rapid"] == read["paddle"]
    assert "ar" not in read["rapid"]
    assert read["openai"] is None


def test_models_that_are_broken_make_the_engine_unavailable(tmp_path: Path) -> None:
    text_models.detector(tmp_path, f"{TIER}_det")
    text_models.recognizer(tmp_path, f"{TIER}_rec", "xyz", classes=9)
    environment = {**os.environ, "OCR_MODELS": str(tmp_path), "OCR_TIER": TIER}

    def said() -> list[str]:
        command: list[str | Path] = [PYTHON, "-P", "-c", LOAD]
        told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=200, check=True)
        return str(told.stdout).splitlines()

    assert said() == [f"{TIER}_rec has another number of classes than its list of characters"]
    (tmp_path / f"{TIER}_det" / "inference.onnx").write_bytes(b"nothing of the kind")
    assert said() == [f"the engine {name} cannot be loaded; the log says why" for name in ("rapid", "paddle")]
