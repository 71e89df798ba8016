"""IOPaint's own clients over the wire: all that its `InpaintRequest` holds, and what its page asks beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inpaint_service.engines import Params
from tests.wires import pictures
from tests.wires.conftest import Inpaint, Serve
from tests.wires.pictures import IMAGE, MASK

DIFFUSION = "runwayml/stable-diffusion-inpainting"
BRUSH = (0, 203, 255, 186)
GEOMETRY: dict[str, Any] = {
    "hd_strategy": "Crop",
    "hd_strategy_crop_trigger_size": 800,
    "hd_strategy_crop_margin": 128,
    "hd_strategy_resize_limit": 1280,
    "croper_x": 0,
    "croper_y": 0,
    "croper_height": 512,
    "croper_width": 512,
    "extender_x": -40,
    "extender_y": 0,
    "extender_height": 640,
    "extender_width": 640,
    "sd_outpainting_softness": 20.0,
    "sd_outpainting_space": 20.0,
    "paint_by_example_example_image": None,
    "controlnet_conditioning_scale": 0.4,
    "controlnet_method": "lllyasviel/control_v11p_sd15_canny",
    "brushnet_method": "random_mask",
    "brushnet_conditioning_scale": 1.0,
}
FOR_MODELS: dict[str, Any] = {
    "ldm_steps": 31,
    "ldm_sampler": "ddim",
    "zits_wireframe": False,
    "prompt": "a wall",
    "negative_prompt": "letters",
    "use_croper": True,
    "use_extender": True,
    "sd_scale": 0.5,
    "sd_mask_blur": 12,
    "sd_strength": 0.9,
    "sd_steps": 51,
    "sd_guidance_scale": 7.25,
    "sd_sampler": "UniPC",
    "sd_seed": 43,
    "sd_match_histograms": True,
    "sd_lcm_lora": True,
    "sd_keep_unmasked_area": False,
    "cv2_flag": "INPAINT_TELEA",
    "cv2_radius": 5,
    "p2p_image_guidance_scale": 1.25,
    "enable_controlnet": True,
    "enable_brushnet": True,
    "enable_powerpaint_v2": True,
    "powerpaint_task": "object-remove",
    "fitting_degree": 0.75,
}
MODEL_INFO = {
    "name", "path", "model_type", "is_single_file_diffusers", "need_prompt", "controlnets", "brushnets",
    "support_strength", "support_outpainting", "support_lcm_lora", "support_controlnet", "support_brushnet",
    "support_powerpaint_v2",
}  # fmt: skip
SERVER_CONFIG = {
    "plugins", "modelInfos", "removeBGModel", "removeBGModels", "realesrganModel", "realesrganModels",
    "interactiveSegModel", "interactiveSegModels", "enableFileManager", "enableAutoSaving", "enableControlnet",
    "controlnetMethod", "disableModelSwitch", "isDesktop", "samplers",
}  # fmt: skip
SAMPLERS = {
    "DPM++ 2M", "DPM++ 2M Karras", "DPM++ 2M SDE", "DPM++ 2M SDE Karras", "DPM++ SDE", "DPM++ SDE Karras", "DPM2",
    "DPM2 Karras", "DPM2 a", "DPM2 a Karras", "Euler", "Euler a", "Heun", "LMS", "LMS Karras", "DDIM", "PNDM", "UniPC",
    "LCM",
}  # fmt: skip


class Listener:
    """A model that paints black and keeps what it was told."""

    device = "cpu"
    modulus, calls_at_once = 1, 1
    largest_side_px: int | None = None

    def __init__(self) -> None:
        self.name = ""
        self.told: list[Mapping[str, Any]] = []

    def __call__(self, name: str, **_: Any) -> Listener:
        """Be loaded."""
        self.name = name
        return self

    def warm_up(self) -> None:
        pass

    def inpaint(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        self.told.append(params.fields if params else {})
        return np.zeros_like(rgb)

    def close(self) -> None:
        pass


def _request(**more: Any) -> dict[str, Any]:
    """Return the whole of an `InpaintRequest`, as IOPaint's page sends it."""
    image = pictures.text(pictures.encoded(pictures.noise()))
    start = "data:image/png;base64,"
    return {"image": start + image, "mask": start + MASK, **GEOMETRY, **FOR_MODELS, **more}


def _adjusted(live: Inpaint, operate: str, **more: Any) -> NDArray[np.uint8]:
    answer = live.post("/api/v1/adjust_mask", {"mask": MASK, "operate": operate, **more})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
    with Image.open(BytesIO(answer.content)) as image:
        assert image.mode == "RGBA"
        pixels = np.asarray(image)
    drawn = pixels[:, :, 3] > 0
    assert (pixels[drawn] == BRUSH).all()
    assert not pixels[~drawn].any()
    return np.where(drawn, np.uint8(255), np.uint8(0))


def _grown(operation: Any, radius: int) -> NDArray[np.uint8]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(operation(pictures.decoded(pictures.mask())[:, :, 0], kernel), dtype=np.uint8)


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def painting(serve: Serve, listener: Listener) -> Inpaint:
    return serve(listener, model=DIFFUSION)


def test_a_whole_request_of_iopaint_s_gives_the_picture(inpaint: Inpaint) -> None:
    answer = inpaint.post("/api/v1/inpaint", _request())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    after, outside = pictures.decoded(answer.content), pictures.decoded(pictures.mask())[:, :, 0] == 0
    assert np.array_equal(after[outside], pictures.noise()[outside])


def test_every_field_for_a_model_reaches_it(painting: Inpaint, listener: Listener) -> None:
    assert painting.post("/api/v1/inpaint", _request()).status_code == 200
    assert dict(listener.told[-1]) == FOR_MODELS


def test_the_same_fields_reach_it_as_a_form(painting: Inpaint, listener: Listener) -> None:
    files = {"image": pictures.encoded(pictures.noise()), "mask": pictures.mask()}
    answer = painting.post("/api/v1/inpaint", files=files, data={"params": json.dumps({**GEOMETRY, **FOR_MODELS})})
    assert answer.status_code == 200
    assert dict(listener.told[-1]) == FOR_MODELS


def test_a_powerpaint_task_that_nobody_named_is_left_to_the_model(painting: Inpaint, listener: Listener) -> None:
    request = _request()
    del request["powerpaint_task"]
    assert painting.post("/api/v1/inpaint", request).status_code == 200
    assert "powerpaint_task" not in listener.told[-1]


@pytest.mark.parametrize(
    ("field", "value"),
    [("ldm_sampler", "k"), ("ldm_steps", 0), ("cv2_flag", "x"), ("cv2_radius", 0), ("sd_scale", 0), ("sd_steps", "x")],
)
def test_a_field_for_a_model_out_of_its_range_is_named(inpaint: Inpaint, field: str, value: Any) -> None:
    answer = inpaint.post("/api/v1/inpaint", _request(**{field: value}))
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_seed_is_told_and_one_of_minus_1_is_drawn_and_then_told(painting: Inpaint, listener: Listener) -> None:
    fixed = painting.post("/api/v1/inpaint", _request())
    assert fixed.headers["x-seed"] == "43"
    drawn = {painting.post("/api/v1/inpaint", _request(sd_seed=-1)).headers["x-seed"] for _ in range(3)}
    assert drawn == {str(told["sd_seed"]) for told in listener.told[-3:]}
    assert all(int(seed) >= 0 for seed in drawn)
    assert len(drawn) > 1


def test_what_no_model_here_heeds_is_told_with_the_picture(painting: Inpaint) -> None:
    ignored = painting.post("/api/v1/inpaint", _request()).headers["x-ignored-parameters"].split(", ")
    assert {"use_extender", "use_croper", "enable_controlnet", "enable_brushnet"} <= set(ignored)
    assert "sd_steps" not in ignored
    plain = painting.post("/api/v1/inpaint", {"image": IMAGE, "mask": MASK, "sd_steps": 3})
    assert "x-ignored-parameters" not in plain.headers


def test_the_model_is_described_in_iopaint_s_words_beside_ours(inpaint: Inpaint, painting: Inpaint) -> None:
    own, diffusion = inpaint.get("/api/v1/model").json(), painting.get("/api/v1/model").json()
    assert own.keys() == diffusion.keys() == MODEL_INFO | {"device", "status", "parameters"}
    assert (own["name"], own["model_type"], own["need_prompt"]) == ("auto", "inpaint", False)
    assert (diffusion["name"], diffusion["status"], diffusion["need_prompt"]) == (DIFFUSION, "ready", True)


def test_the_server_s_configuration_has_every_member_that_iopaint_s_page_reads(inpaint: Inpaint) -> None:
    body = inpaint.get("/api/v1/server-config").json()
    assert body.keys() == SERVER_CONFIG
    assert all(info.keys() == MODEL_INFO for info in body["modelInfos"])
    assert "auto" in {info["name"] for info in body["modelInfos"]}
    assert not body["enableFileManager"] | body["enableAutoSaving"] | body["isDesktop"]


def test_the_samplers_are_iopaint_s(inpaint: Inpaint) -> None:
    body = inpaint.get("/api/v1/samplers").json()
    assert len(body) == len(SAMPLERS)
    assert set(body) == SAMPLERS == set(inpaint.get("/api/v1/server-config").json()["samplers"])


def test_a_mask_is_expanded_shrunk_and_reversed_in_the_brush_s_color(inpaint: Inpaint) -> None:
    before = pictures.decoded(pictures.mask())[:, :, 0]
    assert np.array_equal(_adjusted(inpaint, "expand", kernel_size=3), _grown(cv2.dilate, 3))
    assert np.array_equal(_adjusted(inpaint, "shrink", kernel_size=3), _grown(cv2.erode, 3))
    assert np.array_equal(_adjusted(inpaint, "expand"), _grown(cv2.dilate, 5))
    assert np.array_equal(_adjusted(inpaint, "expand", kernel_size=0), before)
    assert np.array_equal(_adjusted(inpaint, "reverse"), np.invert(before))


def test_an_adjusted_mask_can_be_sent_back_as_a_mask(inpaint: Inpaint) -> None:
    grown = inpaint.post("/api/v1/adjust_mask", {"mask": MASK, "operate": "expand", "kernel_size": 3}).content
    answer = inpaint.post("/api/v1/inpaint", {"image": IMAGE, "mask": pictures.text(grown)})
    assert answer.status_code == 200
    assert int(answer.headers["x-total-area"]) == cv2.countNonZero(_grown(cv2.dilate, 3))


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"operate": "melt"}, 422, "operate"),
        ({"operate": None}, 422, "operate"),
        ({"kernel_size": -1}, 422, "kernel_size"),
        ({"kernel_size": 10**9}, 422, "kernel_size"),
        ({"mask": None}, 422, "mask"),
        ({"mask": "§"}, 400, "mask"),
        ({"mask": pictures.text(b"no picture")}, 400, "mask"),
    ],
)
def test_a_bad_mask_to_adjust_is_refused_by_its_field(
    inpaint: Inpaint, change: dict[str, Any], status: int, field: str
) -> None:
    answer = inpaint.post("/api/v1/adjust_mask", {"mask": MASK, "operate": "expand", **change})
    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
