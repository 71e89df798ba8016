"""Which of the fields of a request have a bearing on the picture, by the model; the others its client is told of. Pure.

Of IOPaint's fields a model gets to see all and heeds few; the table says which its code reads. What is said of crops,
outpainting, ControlNet, BrushNet and blending no model heeds here: crops and blending are the crop plan's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from inpaint_service.engines.catalog import DIFFUSION
from inpaint_service.wire import ModelParams, Params

_GUIDED = frozenset({"prompt", "negative_prompt", "sd_seed", "sd_steps", "sd_guidance_scale"})
_DIFFUSION = _GUIDED | {"sd_strength", "sd_sampler"}
BY_MODEL: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ldm": frozenset({"ldm_steps", "ldm_sampler"}),
        "zits": frozenset({"zits_wireframe"}),
        "cv2": frozenset({"cv2_flag", "cv2_radius"}),
        **dict.fromkeys(DIFFUSION, _DIFFUSION),
        "timbrooks/instruct-pix2pix": _GUIDED | {"p2p_image_guidance_scale"},
        "kandinsky-community/kandinsky-2-2-decoder-inpaint": _GUIDED | {"sd_sampler"},
        "Sanster/PowerPaint-V1-stable-diffusion-inpainting": _DIFFUSION | {"powerpaint_task", "fitting_degree"},
        "Sanster/AnyText": _GUIDED | {"sd_strength"},
    }
)
_BY_STRATEGY = {
    "hd_strategy_crop_trigger_size": "Crop",
    "hd_strategy_crop_margin": "Crop",
    "hd_strategy_resize_limit": "Resize",
}


def without_effect(params: Params, model: str) -> tuple[str, ...]:
    """Name what was asked for, by a value that is not the default, and this model does not heed."""
    heeded = BY_MODEL.get(model, frozenset()) | {
        name for name, strategy in _BY_STRATEGY.items() if params.hd_strategy == strategy
    }
    names = (*ModelParams.model_fields, *_BY_STRATEGY, "paint_by_example_example_image")
    fields = Params.model_fields
    return tuple(name for name in names if name not in heeded and getattr(params, name) != fields[name].default)
