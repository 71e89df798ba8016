"""The models that PaddlePaddle publishes for the engines here: where each is to be had, and what tells it from others.

All are under Apache-2.0. Sizes and SHA-256 are there where the published file was measured. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from ocr_service.engines.model_folders import FILES, ONNX, Runtime
from ocr_service.engines.recognizers import RECOGNIZERS
from ocr_service.engines.structure_models import COLUMNS, FORMULAS, NEEDED
from ocr_service.engines.text_models import Tier

HUB = "https://huggingface.co/PaddlePaddle"
LICENSE = "Apache-2.0"
TEXT = (*(f"{tier}_det" for tier in get_args(Tier)), *RECOGNIZERS)
STRUCTURE = (*NEEDED, COLUMNS, *FORMULAS)

_MEASURED: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "PP-OCRv6_tiny_det": ("193bab7a04fca699a6c82e6abb5b81bdb28177f0abd4062552b04908dafb19f8", 1_780_590),
        "PP-OCRv6_tiny_rec": ("9ef676d6ed3c88256a2d92c640c44f25b0c40947e111b14b8be8f594091563e6", 4_462_639),
        "PP-OCRv6_medium_det": ("eb13b44b25bb36f89528b68720af8a61d9cf381176107f465db1757b65d086e1", 62_032_837),
        "PP-OCRv6_medium_rec": ("9c09abf0957f7968c7586464b7397b84ad2387a0497a351af40e9acc71b673ba", 76_554_979),
        "PP-OCRv5_mobile_det": ("a431985659dc921974177a95adcfbb90fd9e51989a5e04d70d0b75f597b6e61d", 4_826_518),
        "PP-OCRv5_mobile_rec": ("da72dc72ca4dc220df0dfde68c1dedc31c58d3e76a25871122e5056227d50092", 16_534_782),
        "PP-OCRv5_server_det": ("10803475a591f7dc623e24670fb5752ec94d39a1f8cf069aac1b6f0ce19cfc85", 88_116_791),
        "PP-OCRv5_server_rec": ("d9dc333c9c7b042c6dffb8e33d72b6f65c9c1d463d0a3c2f78174fea55e94752", 84_503_027),
        "korean_PP-OCRv5_mobile_rec": ("92f0b7785e64fc9090106a241cf4c1eb97472824558272751b88a2a4476d3a08", 13_418_787),
        "eslav_PP-OCRv5_mobile_rec": ("b3018ef2b09a0250b6e0c8e871c927098363e5fd4df890cc68e8358eb0aaf1bd", 7_887_627),
        "cyrillic_PP-OCRv5_mobile_rec": (
            "5371ee1ddaa7983cc62d0818d99e982b6804638c85e4f960d59a574094e172e5",
            8_048_799,
        ),
        "arabic_PP-OCRv5_mobile_rec": ("799113ebf267fbe742deb99eb36e8d42c9ddc5291ceacf92add41b4d52a59110", 7_998_947),
        "devanagari_PP-OCRv5_mobile_rec": (
            "cb789212ce96c69d3e74728ae4309d179281d68cb3945d0616b67cafab41c986",
            7_912_311,
        ),
        "th_PP-OCRv5_mobile_rec": ("27618be66018f8598ac0a526a593f9f1cebf794e7eded93428e8fb016e537f5f", 7_891_015),
        "el_PP-OCRv5_mobile_rec": ("2acf17fcaea2bc81b878e311e6263b8885f48bb03796f75f9f30ed3242bbaa6d", 7_808_735),
        "ta_PP-OCRv5_mobile_rec": ("c6d2b682d2a0ea4cb1fccdba295976f93fd439964d16cdc666cadef531accbee", 7_885_691),
        "te_PP-OCRv5_mobile_rec": ("8238bfc46d4cffe720ed6706e3842802467343497428693ff2bfb4e6b3caa36b", 7_898_759),
        "en_PP-OCRv5_mobile_rec": ("b5f833dfc5d0eb71da397b4efa06ebeee9b431b690a47d6af40d77d8eabc557f", 7_848_423),
        "latin_PP-OCRv5_mobile_rec": ("7888113072263cb471b93f66dd5e2ad70548dc526fa1ace760d0d973dd121498", 8_042_023),
    }
)
"""Their `inference.onnx`."""


@dataclass(frozen=True)
class Published:
    """A file of a model; `sha256` and `size_bytes` are None where nobody has told them."""

    file: str
    url: str
    sha256: str | None = None
    size_bytes: int | None = None


def page(name: str, runtime: Runtime) -> str:
    """Return the address at which a model is published."""
    return f"{HUB}/{name}_onnx" if published_for(name, runtime) == "onnxruntime" else f"{HUB}/{name}"


def published(name: str, runtime: Runtime) -> list[Published]:
    """Return a model's files for a runtime, or for the only one that it is published for."""
    files, where = FILES[published_for(name, runtime)], page(name, runtime)
    known = {ONNX: _MEASURED.get(name, (None, None))}
    return [Published(file, f"{where}/resolve/main/{file}", *known.get(file, (None, None))) for file in files]


def published_for(name: str, runtime: Runtime) -> Runtime:
    """Return for which runtime a model is to be had, of this one's liking."""
    return "paddle_static" if name in FORMULAS else runtime
