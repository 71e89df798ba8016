"""What can be set about the engines that need to be told something."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode
from yarl import URL

from cleanplate.runtime.settings import JobSettings
from ocr_service.engines import weights
from ocr_service.engines.model_folders import Runtime
from ocr_service.engines.needs import DeepSeekOptions, EngineOptions, Precision, StructureOptions
from ocr_service.engines.text_models import TextModels, Tier, default_folder
from ocr_service.vision.endpoints import Endpoint, ImageFormat

VLLM_EXTRA = (
    '{"skip_special_tokens": false,'
    ' "vllm_xargs": {"ngram_size": 30, "window_size": 90, "whitelist_token_ids": [128821, 128822]}}'
)
BOTH = "; of deepseek behind vllm too"


def _members(value: Any) -> Any:
    """Return text as it is, if it is a JSON object."""
    try:
        given = json.loads(value)
    except (TypeError, ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ValueError("must be a JSON object")
    return value


Members = Annotated[str, NoDecode, BeforeValidator(_members)]


def _also(name: str, theirs: str) -> AliasChoices:
    """Name a setting's variable, and that of the DeepSeek-OCR server for the same."""
    return AliasChoices(f"OCR_{name}", theirs)


class EngineSettings(JobSettings):
    """The settings of the engines."""

    models: Path | None = Field(
        None,
        description="Folder with models that find and read text, each in a folder of its name; empty: in the user's"
        " cache, where `cleanplate models fetch` puts them.",
    )
    tier: Tier = Field(
        weights.MODEL,
        description="The models that find and read text in rapid, paddle and structure; PP-OCRv6_small is embedded.",
    )
    paddle_runtime: Runtime = Field(
        "onnxruntime", description="What runs the models of the engine paddle: onnxruntime or paddle_static."
    )
    precision: Precision = Field(
        "fp32",
        description="What the engine rapid calculates in; bf16 is faster, and reads some letters otherwise. It ends the"
        " start where the processor has none: it takes AVX512-BF16 or AMX.",
    )

    openai_url: str = Field(
        "",
        description="The engine openai: base URL of its API, such as https://api.openai.com/v1.",
    )
    openai_key: SecretStr = Field(SecretStr(""), description="Its API key.")
    openai_model: str = Field("", description="The vision model that is asked.")
    openai_prompt: str = Field("", description="Asks for a page's Markdown; empty: the service's own.")
    openai_concurrency: int = Field(4, ge=1, le=256, description="Requests that may be in flight.")
    openai_timeout_s: float = Field(90.0, gt=0, description=f"Longest time for one try{BOTH}.")
    openai_idle_s: float = Field(30.0, gt=0, description=f"Longest silence within an answer{BOTH}.")
    openai_retries: int = Field(
        3, ge=0, le=20, description=f"Further tries after 429, 5xx, a lost connection or silence{BOTH}."
    )
    openai_max_tokens: int = Field(8192, ge=1, description=f"Longest answer; a page that needs more says so{BOTH}.")
    openai_stream: bool = Field(True, description=f"Let answers come in pieces, so that silence is noticed{BOTH}.")
    openai_image_format: ImageFormat = Field("jpeg", description=f"How pages are sent: jpeg, png or webp{BOTH}.")
    openai_max_side: int = Field(2048, ge=64, le=16_000, description=f"Pages are scaled down to it, in px{BOTH}.")
    openai_extra: Members = Field(
        "{}", description="Further members of the request, as a JSON object; null leaves one of the service's out."
    )
    app_enable_ds_model: bool = Field(
        True,
        description="false: the engine deepseek is switched off, DeepSeek-OCR's wire refuses tasks, and where it is the"
        " service's own engine the service starts without it.",
        validation_alias=AliasChoices("APP_ENABLE_DS_MODEL"),
    )
    deepseek_backend: Literal["vllm", "hf"] = Field(
        "vllm",
        description="How DeepSeek-OCR runs: vllm, behind its API, or hf, in process.",
        validation_alias=_also("DEEPSEEK_BACKEND", "APP_BACKEND"),
    )
    deepseek_url: str = Field("", description="Base URL of vLLM's API, such as http://127.0.0.1:8000/v1.")
    deepseek_key: SecretStr = Field(SecretStr(""), description="Its API key.")
    deepseek_model: str = Field("deepseek-ai/DeepSeek-OCR", description="The model's name there.")
    deepseek_concurrency: int = Field(8, ge=1, le=256, description="Requests to it that may be in flight.")
    deepseek_extra: Members = Field(VLLM_EXTRA, description="As OCR_OPENAI_EXTRA; by default as vLLM's recipe has it.")
    deepseek_weights: Path | None = Field(
        None,
        description="hf: folder with the model's files; nothing is downloaded.",
        validation_alias=_also("DEEPSEEK_WEIGHTS", "APP_DS_MODEL_PATH"),
    )
    deepseek_trust_code: bool = Field(
        False, description="hf: let the Python code in that folder run; the model cannot do without."
    )
    deepseek_base_size: int = Field(
        1024,
        ge=64,
        le=4096,
        description="hf: side of the view of the whole page, in px.",
        validation_alias=_also("DEEPSEEK_BASE_SIZE", "APP_DS_BASE_SIZE"),
    )
    deepseek_image_size: int = Field(
        640,
        ge=64,
        le=4096,
        description="hf: side of the views of its parts, in px.",
        validation_alias=_also("DEEPSEEK_IMAGE_SIZE", "APP_DS_IMAGE_SIZE"),
    )
    deepseek_crop_mode: bool = Field(
        True,
        description="hf: look at parts of the page too.",
        validation_alias=_also("DEEPSEEK_CROP_MODE", "APP_DS_CROP_MODE"),
    )
    deepseek_dtype: Literal["bfloat16", "float16", "float32"] = Field(
        "bfloat16",
        description="hf: the numbers it calculates with.",
        validation_alias=_also("DEEPSEEK_DTYPE", "APP_DS_DTYPE"),
    )
    deepseek_flash_attention: bool = Field(
        False,
        description="hf: use the package flash-attn.",
        validation_alias=_also("DEEPSEEK_FLASH_ATTENTION", "APP_DS_USE_FLASH_ATTN"),
    )
    deepseek_prompt: str = Field(
        "",
        description="Asks for a page's Markdown; empty: the model's own for documents.",
        validation_alias=_also("DEEPSEEK_PROMPT", "APP_DS_PROMPT_OVERRIDE"),
    )

    structure_models: Path | None = Field(
        None, description="Folder with PP-StructureV3's models, each in a folder of its name; empty: OCR_MODELS."
    )

    @field_validator("openai_url", "deepseek_url")
    @classmethod
    def _an_address(cls, given: str) -> str:
        url = URL(given)
        if given and (url.scheme not in ("http", "https") or not url.host or url.user or url.query_string):
            raise ValueError("must be an http or https URL without a user or a query")
        return given

    @field_validator("openai_key", "deepseek_key")
    @classmethod
    def _fits_a_header(cls, given: SecretStr) -> SecretStr:
        key = given.get_secret_value().strip()
        if not (key.isascii() and key.isprintable()):
            raise ValueError("has characters that no header may have")
        return SecretStr(key)

    def has_model(self, engine: str) -> bool:
        """Say whether the service's own engine, if it is this one, is to be loaded."""
        return self.app_enable_ds_model or engine != "deepseek"

    def engine_options(self) -> EngineOptions:
        """Return what the engines are told."""
        openai = Endpoint(
            url=self.openai_url,
            key=self.openai_key,
            model=self.openai_model,
            at_once=self.openai_concurrency,
            timeout_s=self.openai_timeout_s,
            idle_s=self.openai_idle_s,
            retries=self.openai_retries,
            max_tokens=self.openai_max_tokens,
            stream=self.openai_stream,
            image_format=self.openai_image_format,
            max_side=self.openai_max_side,
            prompt=self.openai_prompt,
            extra=json.loads(self.openai_extra),
        )
        folder = self.models or default_folder()
        return EngineOptions(
            openai,
            self._deepseek(openai),
            StructureOptions(self.structure_models or folder),
            TextModels(folder, self.tier),
            self.paddle_runtime,
            self.precision,
        )

    def _deepseek(self, openai: Endpoint) -> DeepSeekOptions:
        """Return the options of DeepSeek-OCR; what is not set for its endpoint is as for the other."""
        endpoint = replace(
            openai,
            url=self.deepseek_url,
            key=self.deepseek_key,
            model=self.deepseek_model,
            at_once=self.deepseek_concurrency,
            extra=json.loads(self.deepseek_extra),
        )
        return DeepSeekOptions(
            enabled=self.app_enable_ds_model,
            backend=self.deepseek_backend,
            endpoint=endpoint,
            weights=self.deepseek_weights,
            trust_code=self.deepseek_trust_code,
            base_size=self.deepseek_base_size,
            image_size=self.deepseek_image_size,
            crop_mode=self.deepseek_crop_mode,
            dtype=self.deepseek_dtype,
            flash_attention=self.deepseek_flash_attention,
            prompt=self.deepseek_prompt,
        )
