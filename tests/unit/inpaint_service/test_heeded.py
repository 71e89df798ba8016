"""Each of IOPaint's fields has an effect or is told of, model by model."""

from __future__ import annotations

from typing import Any

import pytest

from inpaint_service.engines import NAMES
from inpaint_service.heeded import BY_MODEL, without_effect
from inpaint_service.wire import ModelParams, Params

OTHERS: dict[str, Any] = {
    "prompt": "a wall", "negative_prompt": "letters", "sd_seed": 43, "sd_steps": 51, "sd_strength": 0.9,
    "sd_guidance_scale": 7.25, "sd_sampler": "UniPC", "sd_scale": 0.5, "sd_mask_blur": 12, "sd_match_histograms": True,
    "sd_lcm_lora": True, "sd_keep_unmasked_area": False, "ldm_steps": 31, "ldm_sampler": "ddim",
    "zits_wireframe": False, "cv2_flag": "INPAINT_TELEA", "cv2_radius": 5, "p2p_image_guidance_scale": 1.25,
    "powerpaint_task": "object-remove", "fitting_degree": 0.75, "use_croper": True, "use_extender": True,
    "enable_controlnet": True, "enable_brushnet": True, "enable_powerpaint_v2": True,
}  # fmt: skip
SIZES = {
    "hd_strategy_crop_trigger_size": 800,
    "hd_strategy_crop_margin": 128,
    "hd_strategy_resize_limit": 2048,
}


@pytest.mark.parametrize("model", NAMES)
def test_what_a_model_does_not_heed_is_told_and_what_it_heeds_is_not(model: str) -> None:
    assert OTHERS.keys() == ModelParams.model_fields.keys()
    told = set(without_effect(Params(**OTHERS), model))
    assert told == OTHERS.keys() - BY_MODEL.get(model, frozenset())
    assert without_effect(Params(), model) == ()


def test_the_table_has_models_and_fields_that_there_are() -> None:
    assert set(NAMES) >= BY_MODEL.keys()
    assert ModelParams.model_fields.keys() >= set[str]().union(*BY_MODEL.values())


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ("Auto", set(SIZES)),
        ("Original", set(SIZES)),
        ("Crop", {"hd_strategy_resize_limit"}),
        ("Resize", set(SIZES) - {"hd_strategy_resize_limit"}),
    ],
)
def test_a_size_of_another_strategy_is_told(strategy: str, told: set[str]) -> None:
    params = Params.model_validate({"hd_strategy": strategy, **SIZES})
    assert set(without_effect(params, "lama")) == told


@pytest.mark.parametrize(("sent", "told"), [("iVBORw0KGgo=", True), ("", False), (None, False)])
def test_an_example_picture_is_told_of_and_not_kept(sent: str | None, told: bool) -> None:
    params = Params.model_validate({"paint_by_example_example_image": sent})
    assert ("paint_by_example_example_image" in without_effect(params, "lama")) is told
    again = Params.model_validate(params.model_dump(mode="json"))
    assert without_effect(again, "lama") == without_effect(params, "lama")
    assert "paint_by_example_example_image" not in params.to_model()
    assert "iVBOR" not in params.model_dump_json()
