"""The table of models: what files each is made of, and where they are to be had. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

RELEASES = "https://github.com/Sanster/models/releases/download"


@dataclass(frozen=True)
class Weights:
    """A file of weights and where to get it."""

    file: str
    url: str
    md5: str


@dataclass(frozen=True)
class Spec:
    """A model of IOPaint: its files, and the sides that its input must have."""

    weights: tuple[Weights, ...] = ()
    largest_side_px: int | None = None


def _weights(release: str, file: str, md5: str) -> Weights:
    return Weights(file, f"{RELEASES}/{release}/{file}", md5)


IOPAINT: Mapping[str, Spec] = MappingProxyType(
    {
        "cv2": Spec(),
        "lama": Spec((_weights("add_big_lama", "big-lama.pt", "e3aa4aaa15225a33ec84f9f4bc47e500"),)),
        "anime-lama": Spec(
            (_weights("AnimeMangaInpainting", "anime-manga-big-lama.pt", "29f284f36a0a510bcacf39ecf4c4d54f"),)
        ),
        "ldm": Spec(
            (
                _weights("add_ldm", "diffusion.pt", "b0afda12bf790c03aba2a7431f11d22d"),
                _weights("add_ldm", "cond_stage_model_decode.pt", "fe419cd15a750d37a4733589d0d3585c"),
                _weights("add_ldm", "cond_stage_model_encode.pt", "23239fc9081956a3e70de56472b3f296"),
            )
        ),
        "zits": Spec(
            (
                _weights("add_zits", "zits-wireframe-0717.pt", "a9727c63a8b48b65c905d351b21ce46b"),
                _weights("add_zits", "zits-edge-line-0717.pt", "55e31af21ba96bbf0c80603c76ea8c5f"),
                _weights("add_zits", "zits-structure-upsample-0717.pt", "3d88a07211bd41b2ec8cc0d999f29927"),
                _weights("add_zits", "zits-inpaint-0717.pt", "9978cc7157dc29699e42308d675b2154"),
            )
        ),
        "mat": Spec((_weights("add_mat", "Places_512_FullData_G.pth", "8ca927835fa3f5e21d65ffcb165377ed"),)),
        "fcf": Spec((_weights("add_fcf", "places_512_G.pth", "3323152bc01bf1c56fd8aba74435a211"),), 512),
        "manga": Spec(
            (
                _weights("manga", "manga_inpaintor.jit", "7d8b269c4613b6b3768af714610da86c"),
                _weights("manga", "erika.jit", "0c926d5a4af8450b0d00bc5b9a095644"),
            )
        ),
        "migan": Spec((_weights("migan", "migan_traced.pt", "76eb3b1a71c400ee3290524f7a11b89c"),), 512),
    }
)

DIFFUSION = (
    "runwayml/stable-diffusion-inpainting",
    "Uminosachi/realisticVisionV51_v51VAE-inpainting",
    "redstonehero/dreamshaper-inpainting",
    "Sanster/anything-4.0-inpainting",
    "diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
    "Fantasy-Studio/Paint-by-Example",
    "RunDiffusion/Juggernaut-XI-v11",
    "SG161222/RealVisXL_V5.0",
    "eienmojiki/Anything-XL",
    "timbrooks/instruct-pix2pix",
    "kandinsky-community/kandinsky-2-2-decoder-inpaint",
    "Sanster/PowerPaint-V1-stable-diffusion-inpainting",
    "Sanster/AnyText",
)
