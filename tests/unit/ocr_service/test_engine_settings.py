"""The settings of the engines that need to be told something."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ocr_service.engines import EngineOptions
from ocr_service.settings import OcrSettings


def options(**settings: Any) -> EngineOptions:
    return OcrSettings(**settings).engine_options()


def test_both_endpoints_are_told_what_is_said_of_both() -> None:
    told = options(openai_idle_s=7, openai_model="eye", deepseek_url="http://gpu:8000/v1", deepseek_concurrency=9)
    served = told.deepseek.endpoint
    assert (told.openai.idle_s, served.idle_s, served.url, served.at_once) == (7, 7, "http://gpu:8000/v1", 9)
    assert (told.openai.model, served.model) == ("eye", "deepseek-ai/DeepSeek-OCR")
    assert told.openai.extra == {}
    assert served.extra["vllm_xargs"]["window_size"] == 90


@pytest.mark.parametrize(
    "url", ["api.openai.com", "ftp://a/v1", "http://", "http://me:secret@a/v1", "http://a/v1?key=1"]
)
def test_an_address_that_cannot_be_asked_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValidationError):
        OcrSettings(openai_url=url)


@pytest.mark.parametrize("extra", ["", "[]", "nonsense", "7"])
def test_members_of_the_request_are_a_json_object(extra: str) -> None:
    with pytest.raises(ValidationError):
        OcrSettings(openai_extra=extra)


def test_a_key_that_fits_no_header_is_refused() -> None:
    assert OcrSettings(openai_key=" sk-1\n").openai_key.get_secret_value() == "sk-1"
    with pytest.raises(ValidationError):
        OcrSettings(openai_key="sk\n1")


def test_the_names_of_the_deepseek_ocr_server_mean_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BACKEND", "hf"), ("DS_BASE_SIZE", "512"), ("DS_DTYPE", "float16"), ("DS_CROP_MODE", "false")):
        monkeypatch.setenv(f"APP_{name}", value)
    told = OcrSettings().engine_options().deepseek
    assert (told.backend, told.base_size, told.dtype, told.crop_mode) == ("hf", 512, "float16", False)
