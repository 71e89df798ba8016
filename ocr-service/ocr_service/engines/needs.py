"""What the operator tells the engines that need to be told, and what is missing for them. Imports no engine."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ocr_service.engines import structure_models
from ocr_service.engines.model_folders import Runtime
from ocr_service.engines.text_models import TextModels
from ocr_service.vision.endpoints import Endpoint

STRUCTURE_PACKAGES = (
    *("bs4", "einops", "ftfy", "imagesize", "jinja2", "latex2mathml", "lxml", "openpyxl", "premailer", "regex"),
    *("safetensors", "scipy", "sentencepiece", "sklearn", "tiktoken", "tokenizers"),
)
HF_PACKAGES = ("torch", "torchvision", "transformers", "addict", "easydict", "einops", "matplotlib")

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class DeepSeekOptions:
    """How DeepSeek-OCR runs: behind `endpoint` with the backend "vllm", or from the folder `weights` with "hf".

    Attributes:
        enabled: whether it may be loaded at all.
        base_size: side of the view of the whole page, in pixels.
        image_size: side of the views of its parts.
        crop_mode: whether there are views of parts.
        prompt: for a page; empty: the engine's own.
        trust_code: whether the code that lies beside the weights may be run; there is no other.
    """

    enabled: bool = True
    backend: Literal["vllm", "hf"] = "vllm"
    endpoint: Endpoint = field(default_factory=Endpoint)
    weights: Path | None = None
    trust_code: bool = False
    base_size: int = 1024
    image_size: int = 640
    crop_mode: bool = True
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    flash_attention: bool = False
    prompt: str = ""


@dataclass(frozen=True)
class StructureOptions:
    """Where the models of PP-StructureV3 are; see `structure_models`."""

    models: Path | None = None


@dataclass(frozen=True)
class EngineOptions:
    """What the operator has set for the engines that need to be told.

    Attributes:
        text: finds and reads text in the engines `rapid`, `paddle` and `structure`.
        paddle_runtime: runs it in the engine `paddle`.
        precision: what the engine `rapid` calculates in.
    """

    openai: Endpoint = field(default_factory=Endpoint)
    deepseek: DeepSeekOptions = field(default_factory=DeepSeekOptions)
    structure: StructureOptions = field(default_factory=StructureOptions)
    text: TextModels = field(default_factory=TextModels)
    paddle_runtime: Runtime = "onnxruntime"
    precision: Precision = "fp32"


def rapid(options: EngineOptions) -> str:
    """Say what is missing for the engine `rapid`."""
    return options.text.missing()


def paddle(options: EngineOptions) -> str:
    """Say what is missing for the engine `paddle`."""
    if options.paddle_runtime == "paddle_static" and (missing := _not_installed(["paddle"])):
        return f"{missing}; extras/paddle.lock has it"
    return options.text.missing(options.paddle_runtime)


def openai(options: EngineOptions) -> str:
    """Say what is missing for the engine `openai`."""
    wanted = {"OCR_OPENAI_URL": options.openai.url, "OCR_OPENAI_MODEL": options.openai.model}
    unset = [name for name, value in wanted.items() if not value]
    return f"not set: {', '.join(unset)}" if unset else ""


def deepseek(options: EngineOptions) -> str:
    """Say what is missing for the engine `deepseek`."""
    chosen = options.deepseek
    if not chosen.enabled:
        return "it is switched off: APP_ENABLE_DS_MODEL is false"
    if chosen.backend == "vllm":
        return "" if chosen.endpoint.url else "not set: OCR_DEEPSEEK_URL"
    packages = [*HF_PACKAGES, *(["flash_attn"] if chosen.flash_attention else [])]
    if missing := _not_installed(packages):
        return missing
    if chosen.weights is None or not (chosen.weights / "config.json").is_file():
        return "no weights: OCR_DEEPSEEK_WEIGHTS is not a folder with DeepSeek-OCR's files"
    return "" if chosen.trust_code else "its own code may not run: OCR_DEEPSEEK_TRUST_CODE is not set"


def structure(options: EngineOptions) -> str:
    """Say what is missing for the engine `structure`."""
    if missing := _not_installed(STRUCTURE_PACKAGES):
        return f"{missing}; extras/structure.lock has them"
    folder = options.structure.models
    if folder is None:
        return "not set: OCR_STRUCTURE_MODELS"
    if missing := options.text.missing():
        return missing
    if models := structure_models.missing(folder):
        return f"OCR_STRUCTURE_MODELS has no folder with a model for: {', '.join(models)}"
    return _not_installed(["paddle"]) if structure_models.needs_paddle(folder) else ""


def _not_installed(packages: Sequence[str]) -> str:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""
