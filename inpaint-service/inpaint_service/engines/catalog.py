"""The table of models: what files each is made of, where they are to be had, and under which license. Pure.

Sizes and SHA-256 are there where the published file was measured; MD5 is what IOPaint expects. A license is that of
the weights where their authors give one for them, and of their repository otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

RELEASES = "https://github.com/Sanster/models/releases/download"
HUB = "https://huggingface.co"
OPENRAIL = "CreativeML OpenRAIL-M"


@dataclass(frozen=True)
class Weights:
    """A file of weights and where to get it; `size_bytes` and `sha256` are None where nobody has told them."""

    file: str
    url: str
    md5: str
    sha256: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class Spec:
    """A model of IOPaint: its files, the sides that its input must have, and its license."""

    weights: tuple[Weights, ...] = ()
    largest_side_px: int | None = None
    license: str = "Apache-2.0"


@dataclass(frozen=True)
class Pipeline:
    """A diffusion model: a folder of the layout that diffusers reads.

    Attributes:
        family: IOPaint's class for it, where it has none of the model's own name.
        files: what must be in the folder.
        unfit: why it cannot serve here, whatever is in the folder.
    """

    license: str
    family: Literal["SD", "SDXL", ""] = ""
    files: tuple[str, ...] = ("model_index.json",)
    unfit: str = ""


def _weights(release: str, file: str, md5: str, sha256: str | None = None, size_bytes: int | None = None) -> Weights:
    return Weights(file, f"{RELEASES}/{release}/{file}", md5, sha256, size_bytes)


IOPAINT: Mapping[str, Spec] = MappingProxyType(
    {
        "cv2": Spec(),
        "lama": Spec(
            (
                _weights(
                    "add_big_lama",
                    "big-lama.pt",
                    "e3aa4aaa15225a33ec84f9f4bc47e500",
                    "344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9",
                    205_669_692,
                ),
            )
        ),
        "anime-lama": Spec(
            (
                _weights(
                    "AnimeMangaInpainting",
                    "anime-manga-big-lama.pt",
                    "29f284f36a0a510bcacf39ecf4c4d54f",
                    "479d3afdcb7ed2fd944ed4ebcc39ca45b33491f0f2e43eb1000bd623cfb41823",
                    205_717_870,
                ),
            ),
            license="MIT",
        ),
        "ldm": Spec(
            (
                _weights("add_ldm", "diffusion.pt", "b0afda12bf790c03aba2a7431f11d22d"),
                _weights("add_ldm", "cond_stage_model_decode.pt", "fe419cd15a750d37a4733589d0d3585c"),
                _weights("add_ldm", "cond_stage_model_encode.pt", "23239fc9081956a3e70de56472b3f296"),
            ),
            license="MIT",
        ),
        "zits": Spec(
            (
                _weights("add_zits", "zits-wireframe-0717.pt", "a9727c63a8b48b65c905d351b21ce46b"),
                _weights("add_zits", "zits-edge-line-0717.pt", "55e31af21ba96bbf0c80603c76ea8c5f"),
                _weights("add_zits", "zits-structure-upsample-0717.pt", "3d88a07211bd41b2ec8cc0d999f29927"),
                _weights("add_zits", "zits-inpaint-0717.pt", "9978cc7157dc29699e42308d675b2154"),
            )
        ),
        "mat": Spec(
            (_weights("add_mat", "Places_512_FullData_G.pth", "8ca927835fa3f5e21d65ffcb165377ed"),),
            license="research only",
        ),
        "fcf": Spec((_weights("add_fcf", "places_512_G.pth", "3323152bc01bf1c56fd8aba74435a211"),), 512),
        "manga": Spec(
            (
                _weights("manga", "manga_inpaintor.jit", "7d8b269c4613b6b3768af714610da86c"),
                _weights("manga", "erika.jit", "0c926d5a4af8450b0d00bc5b9a095644"),
            ),
            license="CUHK: notice if commercial",
        ),
        "migan": Spec((_weights("migan", "migan_traced.pt", "76eb3b1a71c400ee3290524f7a11b89c"),), 512, "MIT"),
    }
)

DIFFUSION: Mapping[str, Pipeline] = MappingProxyType(
    {
        "runwayml/stable-diffusion-inpainting": Pipeline(OPENRAIL),
        "Uminosachi/realisticVisionV51_v51VAE-inpainting": Pipeline(OPENRAIL, "SD"),
        "redstonehero/dreamshaper-inpainting": Pipeline(OPENRAIL, "SD"),
        "Sanster/anything-4.0-inpainting": Pipeline(OPENRAIL),
        "Sanster/Realistic_Vision_V1.4-inpainting": Pipeline(OPENRAIL),
        "stabilityai/stable-diffusion-2-inpainting": Pipeline("CreativeML OpenRAIL++-M"),
        "diffusers/stable-diffusion-xl-1.0-inpainting-0.1": Pipeline("CreativeML OpenRAIL++-M"),
        "Fantasy-Studio/Paint-by-Example": Pipeline(OPENRAIL, unfit="it paints an example picture, which none sends"),
        "RunDiffusion/Juggernaut-XI-v11": Pipeline(OPENRAIL, "SDXL"),
        "SG161222/RealVisXL_V5.0": Pipeline("CreativeML OpenRAIL++-M", "SDXL"),
        "eienmojiki/Anything-XL": Pipeline("see its page", "SDXL"),
        "timbrooks/instruct-pix2pix": Pipeline("MIT"),
        "kandinsky-community/kandinsky-2-2-decoder-inpaint": Pipeline("Apache-2.0"),
        "Sanster/PowerPaint-V1-stable-diffusion-inpainting": Pipeline("see its page"),
        "Sanster/AnyText": Pipeline(
            "Apache-2.0", files=("pytorch_model.fp16.safetensors", "SourceHanSansSC-Medium.otf")
        ),
    }
)
