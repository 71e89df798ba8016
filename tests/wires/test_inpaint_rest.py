"""Every call of the text-removal service over HTTP: fields, headers, status words, and pictures that are true."""

from __future__ import annotations

import asyncio
import base64
import json
import queue
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from cleanplate.runtime.service import open_board
from cleanplate.runtime.signatures import HEADER, verify
from inpaint_service.engines import Inpainter, load
from inpaint_service.tasks import KIND
from tests.wires import pictures
from tests.wires.conftest import GatedInpainter, Inpaint, Serve
from tests.wires.pictures import IMAGE, JPEG, MASK, PNG, REGIONS, order
from tests.wires.serving import PATIENCE_S

SYNC = ["inpaint", "inpaint-regions"]
STATUS_FIELDS = {
    "task_id", "status", "stage", "overall_progress", "stage_progress", "current_region", "total_regions", "message",
    "elapsed_time", "estimated_remaining", "created_at", "started_at", "completed_at", "error_message",
}  # fmt: skip
DEFAULTS = {
    "sd_seed": -1, "sd_steps": 25, "sd_strength": 1.0, "sd_guidance_scale": 7.5, "sd_sampler": "DDIM",
    "hd_strategy": "Auto", "hd_strategy_crop_trigger_size": 1280, "hd_strategy_crop_margin": 32, "prompt": "",
    "negative_prompt": "", "mask_mode": "auto", "output_format": "png", "enable_progress": True,
    "progress_interval": 1.0,
}  # fmt: skip
SECRET = "between the two of us"


def _is_utc(text: str) -> bool:
    return text.endswith("Z") and datetime.fromisoformat(text).utcoffset() is not None


def _submit(live: Inpaint, **more: Any) -> dict[str, Any]:
    answer = live.post("/api/v1/inpaint-regions-async", order(**more))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_the_root_says_what_this_is(inpaint: Inpaint) -> None:
    body = inpaint.get("/").json()
    assert body.keys() >= {"name", "version", "status", "docs", "health", "model", "device"}
    assert (body["status"], body["docs"], body["health"]) == ("running", "/docs", "/api/v1/health")
    assert inpaint.get(body["docs"]).status_code == inpaint.get(body["health"]).status_code == 200


def test_health_is_200_and_has_the_original_fields_and_diagnostics(inpaint: Inpaint) -> None:
    answer = inpaint.get("/api/v1/health")
    body = answer.json()
    assert answer.status_code == 200
    assert body["status"] == "healthy"
    assert body.keys() >= {"message", "timestamp", "version", "model", "memory_bytes", "tasks", "last_error"}
    assert _is_utc(body["timestamp"])


def test_while_the_model_loads_health_is_503_with_the_same_body_and_pictures_are_refused(serve: Serve) -> None:
    loaded = threading.Event()

    def slow(name: str, **options: Any) -> Inpainter:
        assert loaded.wait(PATIENCE_S)
        return load(name, **options)

    live = serve(slow, ready=False)
    early, refused = live.get("/api/v1/health"), live.post("/api/v1/inpaint-regions", order())
    assert (early.status_code, early.json()["status"]) == (503, "unhealthy")
    assert live.get("/api/v1/model").json()["status"] == "loading"
    assert live.get("/readyz").status_code == 503
    assert live.get("/livez").status_code == 200
    assert (refused.status_code, refused.json()["retryable"]) == (503, True)
    assert int(refused.headers["retry-after"]) > 0
    loaded.set()
    live.until_ready()
    whole = live.get("/api/v1/health")
    assert whole.status_code == 200
    assert whole.json().keys() == early.json().keys()


def test_the_model_is_described(inpaint: Inpaint) -> None:
    body = inpaint.get("/api/v1/model").json()
    assert body.keys() >= {"name", "device", "status", "parameters"}
    assert (body["name"], body["status"]) == ("auto", "ready")


def test_info_tells_limits_capabilities_and_why_a_model_cannot_be_used(inpaint: Inpaint) -> None:
    body = inpaint.get("/api/v1/info").json()
    assert body.keys() >= {"name", "version", "model", "capabilities", "limits", "models"}
    assert body["limits"].keys() >= {"max_image_size", "max_file_size", "request_timeout", "supported_formats"}
    assert all(model.keys() == {"name", "usable", "reason"} and model["reason"] for model in body["models"])
    assert {"lama", "anime-lama", "ldm", "zits", "mat", "fcf", "manga", "migan", "cv2"} <= {
        model["name"] for model in body["models"]
    }


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_the_documentation_is_served(inpaint: Inpaint, path: str) -> None:
    assert inpaint.get(path).status_code == 200


def test_the_openapi_page_lists_every_call_with_its_bodies(inpaint: Inpaint) -> None:
    paths = inpaint.get("/openapi.json").json()["paths"]
    for name in (*SYNC, "inpaint-regions-json", "inpaint-regions-async", "mask"):
        content = paths[f"/api/v1/{name}"]["post"]["requestBody"]["content"]
        assert content.keys() == {"application/json", "multipart/form-data"}
    for name in ("task-status/{task_id}", "task-result/{task_id}", "tasks", "health", "model", "info"):
        assert "get" in paths[f"/api/v1/{name}"]
    assert "post" in paths["/api/v1/cancel-task/{task_id}"]


def test_the_openapi_page_tells_every_answer_s_members(inpaint: Inpaint) -> None:
    page = inpaint.get("/openapi.json").json()
    told = {
        path: page["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
        for path, calls in page["paths"].items()
        for call in calls.values()
        if "$ref" in (schema := call["responses"]["200"]["content"].get("application/json", {}).get("schema", {}))
    }
    task = inpaint.ended(_submit(inpaint)["task_id"])
    asked = {
        "/": inpaint.get("/").json(),
        "/api/v1/health": inpaint.get("/api/v1/health").json(),
        "/api/v1/model": inpaint.get("/api/v1/model").json(),
        "/api/v1/info": inpaint.get("/api/v1/info").json(),
        "/api/v1/server-config": inpaint.get("/api/v1/server-config").json(),
        "/api/v1/tasks": inpaint.get("/api/v1/tasks").json(),
        "/api/v1/task-status/{task_id}": task,
        "/api/v1/inpaint-regions-async": _submit(inpaint),
        "/api/v1/inpaint-regions-json": inpaint.post("/api/v1/inpaint-regions-json", order(include_image=True)).json(),
    }
    for path, body in asked.items():
        assert body.keys() == told[path].keys(), path


def test_the_openapi_page_tells_every_default(inpaint: Inpaint) -> None:
    calls = inpaint.get("/openapi.json").json()["paths"]
    body = calls["/api/v1/inpaint-regions-async"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    told = {name: field.get("default", ...) for name, field in body["properties"].items()}
    assert told.items() >= DEFAULTS.items()
    assert set(body["required"]) == {"image", "regions"}


@pytest.mark.parametrize("name", [*SYNC, "mask"])
def test_the_openapi_page_tells_every_header(inpaint: Inpaint, name: str) -> None:
    answers = inpaint.get("/openapi.json").json()["paths"][f"/api/v1/{name}"]["post"]["responses"]
    told = {header.lower() for header in answers["200"]["headers"]}
    answer = inpaint.post(f"/api/v1/{name}", {"image": IMAGE, "mask": MASK, "regions": REGIONS})
    own = {header for header in answer.headers if header.startswith(("x-", "content-d"))} - {"x-request-id"}
    assert own <= told
    assert own >= {"content-disposition", "x-regions-count", "x-total-area", "x-timestamp", "x-mask-mode"}


def test_a_picture_that_moves_is_taken_by_its_first_frame_and_that_is_said(inpaint: Inpaint, serve: Serve) -> None:
    file = BytesIO()
    frames = [Image.fromarray(pixels) for pixels in (pictures.plate(), 255 - pictures.plate(), pictures.noise())]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    body = order(image=pictures.text(file.getvalue()))
    task = inpaint.ended(_submit(inpaint, image=body["image"])["task_id"])["task_id"]
    for answer in (inpaint.post("/api/v1/inpaint-regions", body), inpaint.get(f"/api/v1/task-result/{task}")):
        assert "first of 3 frames" in answer.headers["x-warning"]
        assert np.median(pictures.decoded(answer.content)) == np.median(pictures.plate())
    assert inpaint.post("/api/v1/inpaint-regions-json", body).json()["processing_stats"]["frames"] == 3
    refused = serve(animated="refuse").post("/api/v1/inpaint-regions", body)
    assert (refused.status_code, refused.json()["field"]) == (422, "image")


def test_fields_without_effect_are_said_wherever_there_is_an_answer(inpaint: Inpaint) -> None:
    theirs = {"sd_steps": 20, "prompt": "a wall", "use_croper": True, "paint_by_example_example_image": IMAGE}
    names = "prompt, sd_steps, use_croper, paint_by_example_example_image"
    task = inpaint.ended(_submit(inpaint, **theirs)["task_id"])["task_id"]
    for answer in (
        inpaint.post("/api/v1/inpaint", order(mask=MASK, **theirs)),
        inpaint.post("/api/v1/inpaint-regions", order(**theirs)),
        inpaint.get(f"/api/v1/task-result/{task}"),
    ):
        assert answer.headers["x-ignored-parameters"] == names
    stats = inpaint.post("/api/v1/inpaint-regions-json", order(**theirs)).json()["processing_stats"]
    assert stats["ignored"] == names.split(", ")
    assert "x-ignored-parameters" not in inpaint.post("/api/v1/inpaint-regions", order()).headers


@pytest.mark.parametrize("name", SYNC)
def test_a_picture_comes_back_with_every_header(inpaint: Inpaint, name: str) -> None:
    answer = inpaint.post(f"/api/v1/{name}", {"image": IMAGE, "mask": MASK, "regions": REGIONS})
    headers = answer.headers
    assert answer.status_code == 200
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"].startswith("inline; filename=")
    assert float(headers["x-processing-time"]) >= 0
    assert int(headers["x-regions-count"]) == (1 if name == "inpaint" else 2)
    assert _is_utc(headers["x-timestamp"])
    assert (headers["x-model"], headers["x-mask-mode"]) == ("auto", "auto")
    assert headers["x-unchanged-outside-mask"] == "true"


@pytest.mark.parametrize("name", SYNC)
def test_every_pixel_outside_the_mask_is_the_input_s(inpaint: Inpaint, name: str) -> None:
    body = {"image": pictures.text(pictures.encoded(pictures.noise())), "mask": MASK, "regions": REGIONS[:1]}
    white = pictures.decoded(inpaint.post("/api/v1/mask", {**body}).content)[:, :, 0] > 0
    if name == "inpaint":
        white = pictures.decoded(pictures.mask())[:, :, 0] > 127
    answer = inpaint.post(f"/api/v1/{name}", body)
    after = pictures.decoded(answer.content)
    assert np.array_equal(after[~white], pictures.noise()[~white])
    assert not np.array_equal(after[white], pictures.noise()[white])
    assert int(answer.headers["x-total-area"]) == white.sum()


def test_the_area_counts_overlapping_and_clipped_pixels_once(inpaint: Inpaint) -> None:
    box = {"x": -10, "y": -10, "width": 30, "height": 30}
    answer = inpaint.post("/api/v1/inpaint-regions", order(regions=[box, box], mask_dilation=0))
    assert (answer.headers["x-total-area"], answer.headers["x-regions-count"]) == ("400", "2")


def test_a_mask_is_cut_at_127(inpaint: Inpaint) -> None:
    shades = np.zeros((pictures.HEIGHT, pictures.WIDTH), np.uint8)
    shades[:10], shades[10:20] = 127, 128
    body = {"image": IMAGE, "mask": pictures.text(pictures.encoded(shades))}
    assert inpaint.post("/api/v1/inpaint", body).headers["x-total-area"] == str(10 * pictures.WIDTH)


def test_an_empty_mask_changes_nothing(inpaint: Inpaint) -> None:
    blank = np.zeros((pictures.HEIGHT, pictures.WIDTH), np.uint8)
    answer = inpaint.post("/api/v1/inpaint", {"image": IMAGE, "mask": pictures.text(pictures.encoded(blank))})
    assert answer.headers["x-total-area"] == "0"
    assert np.array_equal(pictures.decoded(answer.content), pictures.plate())


@pytest.mark.parametrize(
    ("wish", "image", "media_type", "start"),
    [
        ("png", JPEG, "image/png", b"\x89PNG"),
        ("jpeg", PNG, "image/jpeg", b"\xff\xd8\xff"),
        ("webp", PNG, "image/webp", b"RIFF"),
        ("same", JPEG, "image/jpeg", b"\xff\xd8\xff"),
        ("same", PNG, "image/png", b"\x89PNG"),
    ],
)
def test_the_picture_has_the_format_that_was_asked_for(
    inpaint: Inpaint, wish: str, image: bytes, media_type: str, start: bytes
) -> None:
    answer = inpaint.post("/api/v1/inpaint-regions", order(image=pictures.text(image), output_format=wish, quality=80))
    assert answer.headers["content-type"] == media_type
    assert answer.content.startswith(start)
    assert (answer.headers["x-unchanged-outside-mask"] == "true") is (media_type == "image/png")
    assert pictures.decoded(answer.content).shape == pictures.plate().shape


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "data:;base64,"])
def test_pictures_come_in_base64_or_as_a_data_uri(inpaint: Inpaint, prefix: str) -> None:
    assert inpaint.post("/api/v1/inpaint", {"image": prefix + IMAGE, "mask": prefix + MASK}).status_code == 200


@pytest.mark.parametrize(
    "region",
    [
        {"x": 20, "y": 30, "width": 40, "height": 10},
        {"x": 20.5, "y": 30.25, "width": 40.1, "height": 9.9, "id": "a", "text": "EXIT", "score": 0.9},
        {"bounding_box": {"x": 20, "y": 30, "width": 40, "height": 10}},
        {"polygon": [[20, 30], [60, 32], [58, 44]]},
        {"polygon": [[20, 30], [60, 30], [60, 40], [20, 40]], "mask_mode": "box", "id": 7},
    ],
)
def test_every_shape_of_region_is_taken(inpaint: Inpaint, region: dict[str, Any]) -> None:
    answer = inpaint.post("/api/v1/inpaint-regions", order(regions=[region]))
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["x-total-area"]) > 0


def test_iopaint_s_own_fields_are_accepted(inpaint: Inpaint) -> None:
    theirs = {
        "sd_seed": 42, "sd_steps": 20, "sd_strength": 0.8, "sd_guidance_scale": 7.5, "sd_sampler": "ddim",
        "hd_strategy": "Original", "hd_strategy_crop_trigger_size": 1024, "hd_strategy_crop_margin": 32,
        "hd_strategy_resize_limit": 2048, "prompt": "", "negative_prompt": "", "ldm_steps": 20, "ldm_sampler": "plms",
        "zits_wireframe": True, "use_croper": False, "croper_x": 0, "sd_mask_blur": 12, "cv2_flag": "INPAINT_NS",
        "enable_controlnet": False, "use_extender": False, "sd_lcm_lora": False, "paint_by_example_example_image": None,
    }  # fmt: skip
    assert inpaint.post("/api/v1/inpaint-regions", order(**theirs)).status_code == 200


@pytest.mark.parametrize("name", SYNC)
def test_files_in_a_form_do_the_same_as_base64(inpaint: Inpaint, name: str) -> None:
    files = {"image": ("sign.png", PNG, "image/png"), "mask": ("mask.png", pictures.mask(), "image/png")}
    fields = {"params": json.dumps({"regions": REGIONS, "output_format": "webp"})}
    formed = inpaint.post(f"/api/v1/{name}", files=files, data=fields)
    body = order(mask=MASK, output_format="webp")
    assert formed.headers["content-type"] == "image/webp"
    assert formed.content == inpaint.post(f"/api/v1/{name}", body).content


def test_the_dry_run_gives_the_mask(inpaint: Inpaint) -> None:
    answer = inpaint.post("/api/v1/mask", order(mask_dilation=0, mask_mode="box"))
    shown = pictures.decoded(answer.content)[:, :, 0]
    wanted = np.zeros((pictures.HEIGHT, pictures.WIDTH), np.uint8)
    wanted[30:40, 20:60] = wanted[70:82, 90:120] = 255
    assert answer.headers["content-type"] == "image/png"
    assert np.array_equal(shown, wanted)


def test_the_statistics_have_their_fields_and_the_picture_only_when_asked(inpaint: Inpaint) -> None:
    body = inpaint.post("/api/v1/inpaint-regions-json", order()).json()
    stats = body["processing_stats"]
    assert body.keys() == {"success", "message", "processing_stats", "timestamp"}
    assert body["success"] is True
    assert _is_utc(body["timestamp"])
    assert stats.keys() >= {"regions_processed", "total_area", "processing_time", "image_dimensions"}
    assert stats["regions_processed"] == 2
    assert stats["total_area"] > 0
    assert stats["processing_time"] > 0
    assert stats["image_dimensions"] == {"width": pictures.WIDTH, "height": pictures.HEIGHT}
    held = inpaint.post("/api/v1/inpaint-regions-json", order(include_image=True)).json()
    picture = inpaint.post("/api/v1/inpaint-regions", order()).content
    assert base64.b64decode(held["image"]) == picture


def test_a_task_is_pending_then_completed_and_its_picture_is_the_synchronous_one(inpaint: Inpaint) -> None:
    body = _submit(inpaint, task_id="job-1.a_B")
    assert body.keys() >= {"task_id", "status", "message", "estimated_time", "websocket_url"}
    assert (body["task_id"], body["status"]) == ("job-1.a_B", "pending")
    assert body["websocket_url"] == f"ws://{inpaint.address}/api/v1/ws/progress/job-1.a_B"
    view = inpaint.ended("job-1.a_B")
    assert view.keys() >= STATUS_FIELDS
    assert (view["status"], view["stage"]) == ("completed", "finalizing")
    assert view["overall_progress"] == view["stage_progress"] == 100
    assert (view["current_region"], view["total_regions"]) == (2, 2)
    assert (view["estimated_remaining"], view["error_message"]) == (None, None)
    assert view["created_at"] <= view["started_at"] <= view["completed_at"]
    result = httpx.get(view["result_url"], trust_env=False)
    assert result.content == inpaint.post("/api/v1/inpaint-regions", order()).content
    for name in ("content-disposition", "x-processing-time", "x-total-area", "x-timestamp", "x-model", "x-mask-mode"):
        assert result.headers[name]
    assert result.headers["content-type"] == "image/png"
    assert result.headers["x-regions-count"] == "2"
    assert result.headers["x-unchanged-outside-mask"] == "true"


def test_a_task_without_an_id_gets_one(inpaint: Inpaint) -> None:
    first, second = _submit(inpaint), _submit(inpaint)
    assert first["task_id"] != second["task_id"]
    assert inpaint.ended(first["task_id"])["status"] == "completed"


def test_a_form_starts_a_task_too(inpaint: Inpaint) -> None:
    params = json.dumps({"regions": REGIONS, "task_id": "by-form"})
    answer = inpaint.post("/api/v1/inpaint-regions-async", files={"image": ("a.png", PNG)}, data={"params": params})
    assert answer.json()["task_id"] == "by-form"
    assert inpaint.ended("by-form")["status"] == "completed"


def test_a_later_task_is_told_how_long_it_will_take(inpaint: Inpaint) -> None:
    inpaint.ended(_submit(inpaint)["task_id"])
    assert _submit(inpaint)["estimated_time"] >= 0


def test_the_same_id_and_body_is_the_same_task_and_another_body_is_409(inpaint: Inpaint) -> None:
    _submit(inpaint, task_id="twice")
    inpaint.ended("twice")
    before = inpaint.get("/api/v1/tasks").json()["total_tasks"]
    assert _submit(inpaint, task_id="twice")["task_id"] == "twice"
    assert inpaint.get("/api/v1/tasks").json()["total_tasks"] == before
    answer = inpaint.post("/api/v1/inpaint-regions-async", order(task_id="twice", feather=2))
    assert (answer.status_code, answer.json()["code"]) == (409, "id_conflict")
    assert inpaint.get("/api/v1/task-result/twice").status_code == 200


def test_a_task_waits_and_runs_and_can_be_cancelled_and_is_counted(serve: Serve, gated: GatedInpainter) -> None:
    live = serve(gated, model="lama", slots=1)
    image = pictures.text(pictures.encoded(pictures.noise()))
    running, waiting = _submit(live, image=image)["task_id"], _submit(live, image=image)["task_id"]
    gated.begun()
    view = live.get(f"/api/v1/task-status/{running}").json()
    assert (view["status"], view["stage"], view["completed_at"]) == ("processing", "masking", None)
    assert view["overall_progress"] == 15
    assert view["message"]
    view = live.get(f"/api/v1/task-status/{waiting}").json()
    assert (view["status"], view["overall_progress"], view["started_at"]) == ("pending", 0, None)
    assert (view["stage"], view["stage_progress"]) == ("preparing", 0)
    assert "result_url" not in view
    early = live.get(f"/api/v1/task-result/{running}")
    assert (early.status_code, early.json()["code"], early.json()["retryable"]) == (409, "not_ready", True)
    counted = live.get("/api/v1/tasks").json()
    assert counted["total_tasks"] == counted["active_tasks"] == 2
    assert (counted["queued_tasks"], counted["completed_tasks"], counted["error_tasks"]) == (1, 0, 0)
    assert set(counted["active_task_ids"]) == {running, waiting}
    assert counted["queue_limit"] == 1000

    for name in (waiting, running):
        body = live.post(f"/api/v1/cancel-task/{name}").json()
        assert (body["task_id"], body["status"]) == (name, "cancelled")
        assert body["message"]
        assert live.get(f"/api/v1/task-status/{name}").json()["status"] == "cancelled"
        assert live.get(f"/api/v1/task-result/{name}").status_code == 409
        again = live.post(f"/api/v1/cancel-task/{name}")
        assert (again.status_code, again.json()["code"]) == (409, "finished")
    gated.let(10)
    last = _submit(live, image=image)["task_id"]
    assert live.ended(last)["status"] == "completed"
    assert live.get(f"/api/v1/task-status/{running}").json()["status"] == "cancelled"
    counted = live.get("/api/v1/tasks").json()
    assert (counted["active_tasks"], counted["completed_tasks"], counted["active_task_ids"]) == (0, 1, [])


def test_a_task_that_fails_says_why(inpaint: Inpaint) -> None:
    cut = pictures.text(pictures.encoded(pictures.noise())[:9000])
    view = inpaint.ended(_submit(inpaint, image=cut)["task_id"])
    assert (view["status"], "result_url" in view) == ("error", False)
    assert "cut off" in view["error_message"]
    assert inpaint.get(f"/api/v1/task-result/{view['task_id']}").status_code == 409
    assert inpaint.get("/api/v1/tasks").json()["error_tasks"] == 1


def test_more_tasks_than_may_wait_are_refused_for_now(serve: Serve, gated: GatedInpainter) -> None:
    live = serve(gated, model="lama", slots=1, queue_limit=1)
    image = pictures.text(pictures.encoded(pictures.noise()))
    running = _submit(live, image=image)["task_id"]
    gated.begun()
    waiting = _submit(live, image=image)["task_id"]
    answer = live.post("/api/v1/inpaint-regions-async", order(image=image))
    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (429, "queue_full", 1)
    assert int(answer.headers["retry-after"]) > 0
    gated.let(10)
    assert live.ended(running)["status"] == live.ended(waiting)["status"] == "completed"


def test_a_result_past_its_retention_is_410(serve: Serve) -> None:
    live = serve()
    task = _submit(live)["task_id"]
    live.ended(task)
    board = open_board(KIND, live.settings)
    assert asyncio.run(board.forget(task)) is True
    board.close()
    answer = live.get(f"/api/v1/task-result/{task}")
    assert (answer.status_code, answer.json()["code"]) == (410, "expired")


def test_a_model_that_is_not_there_is_told_of_and_the_embedded_one_stands_in(serve: Serve, tmp_path: Any) -> None:
    live = serve(model="lama", model_dir=tmp_path)
    answer = live.post("/api/v1/inpaint-regions", order())
    assert (answer.headers["x-model"], answer.headers["x-model-requested"]) == ("auto", "lama")
    chosen = live.post("/api/v1/inpaint-regions", order(model="plane"))
    assert chosen.headers["x-model"] == "plane"
    assert "x-model-requested" not in chosen.headers
    assert live.get("/api/v1/model").json()["parameters"]["requested"] == "lama"
    assert live.get("/readyz").json()["checks"]["model"].startswith("auto on cpu, instead of lama: ")


HOSTS = {
    "the Host header": ({"Host": "eraser:8443"}, "ws://eraser:8443"),
    "no proxy is trusted": ({"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}, "ws://{address}"),
    "nor its older header": ({"Forwarded": "host=evil.example;proto=https"}, "ws://{address}"),
}
PROXIED = {
    "proto and host": ({"X-Forwarded-Host": "a.example", "X-Forwarded-Proto": "https"}, "wss://a.example"),
    "with the client's address": (
        {"X-Forwarded-Host": "a.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"},
        "wss://a.example",
    ),
    "the first of several": (
        {"X-Forwarded-Host": "a.example, b", "X-Forwarded-Proto": "https, http"},
        "wss://a.example",
    ),
    "the standard header": ({"Forwarded": 'for=1.2.3.4;host="c.example:444";proto=https'}, "wss://c.example:444"),
    "nothing said": ({}, "ws://{address}"),
}


@pytest.mark.parametrize("case", HOSTS)
def test_websocket_url_comes_from_the_request(inpaint: Inpaint, case: str) -> None:
    headers, wanted = HOSTS[case]
    body = inpaint.post("/api/v1/inpaint-regions-async", order(), headers=headers).json()
    assert body["websocket_url"] == wanted.format(address=inpaint.address) + f"/api/v1/ws/progress/{body['task_id']}"


@pytest.fixture(scope="module")
def behind_proxy(serve: Serve) -> Inpaint:
    return serve(trusted_proxies="127.0.0.0/8")


@pytest.mark.parametrize("case", PROXIED)
def test_websocket_url_believes_a_trusted_proxy(behind_proxy: Inpaint, case: str) -> None:
    headers, wanted = PROXIED[case]
    body = behind_proxy.post("/api/v1/inpaint-regions-async", order(), headers=headers).json()
    assert body["websocket_url"].startswith(wanted.format(address=behind_proxy.address) + "/api/v1/ws/")


def test_public_url_goes_before_everything(serve: Serve) -> None:
    live = serve(public_url="https://clean.example/erase/", trusted_proxies="127.0.0.1")
    headers = {"X-Forwarded-Host": "a.example"}
    body = live.post("/api/v1/inpaint-regions-async", order(), headers=headers).json()
    assert body["websocket_url"] == f"wss://clean.example/erase/api/v1/ws/progress/{body['task_id']}"


@contextmanager
def _receiver(*statuses: int) -> Iterator[tuple[str, queue.SimpleQueue[tuple[dict[str, str], bytes]]]]:
    """Serve a client's own address: answer with the statuses in turn, the last for ever, and keep what came."""
    came: queue.SimpleQueue[tuple[dict[str, str], bytes]] = queue.SimpleQueue()
    answers = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
            self.end_headers()
            came.put((dict(self.headers), body))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/done", came
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def calling(serve: Serve) -> Inpaint:
    return serve(allow_private_urls=True, callback_secret=SECRET, public_url="http://erase.example")


def test_a_callback_is_signed_and_comes_when_the_picture_can_be_fetched(calling: Inpaint) -> None:
    with _receiver(200) as (url, came):
        task = _submit(calling, callback_url=url)["task_id"]
        headers, body = came.get(timeout=PATIENCE_S)
        picture = calling.get(f"/api/v1/task-result/{task}")
    told = json.loads(body)
    assert verify(SECRET, headers[HEADER], body, time.time())
    assert not verify("another", headers[HEADER], body, time.time())
    assert headers["Content-Type"] == "application/json"
    assert told.keys() == {"task_id", "status", "image_data", "result_url", "error_message", "timestamp"}
    assert (told["task_id"], told["status"], told["error_message"]) == (task, "completed", None)
    assert base64.b64decode(told["image_data"]) == picture.content
    assert told["result_url"] == f"http://erase.example/api/v1/task-result/{task}"
    assert _is_utc(told["timestamp"])


def test_a_callback_tells_of_an_error(calling: Inpaint) -> None:
    with _receiver(204) as (url, came):
        _submit(calling, image=pictures.text(pictures.encoded(pictures.noise())[:9000]), callback_url=url)
        told = json.loads(came.get(timeout=PATIENCE_S)[1])
    assert (told["status"], told["image_data"], told["result_url"]) == ("error", None, None)
    assert "cut off" in told["error_message"]


def test_a_callback_tells_of_a_cancelled_task_once(serve: Serve, gated: GatedInpainter) -> None:
    live = serve(gated, model="lama", allow_private_urls=True)
    with _receiver(200) as (url, came):
        image = pictures.text(pictures.encoded(pictures.noise()))
        task = _submit(live, image=image, callback_url=url)["task_id"]
        gated.begun()
        live.post(f"/api/v1/cancel-task/{task}")
        told = json.loads(came.get(timeout=PATIENCE_S)[1])
        gated.let(10)
    assert (told["status"], told["image_data"]) == ("cancelled", None)
    assert came.empty()


def test_a_callback_is_tried_again_after_a_5xx(calling: Inpaint) -> None:
    with _receiver(500, 200) as (url, came):
        task = _submit(calling, callback_url=url)["task_id"]
        bodies = [came.get(timeout=PATIENCE_S)[1] for _ in range(2)]
    assert bodies[0] == bodies[1]
    assert json.loads(bodies[0])["task_id"] == task


def test_a_callback_to_a_private_address_is_refused_unless_allowed(inpaint: Inpaint) -> None:
    for url in ("http://127.0.0.1:9/", "http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/"):
        answer = inpaint.post("/api/v1/inpaint-regions-async", order(callback_url=url))
        assert (answer.status_code, answer.json()["code"]) == (422, "address_refused")
        assert answer.json()["field"] == "callback_url"


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_documentation_needs_no_other_host(inpaint: Inpaint, page: str) -> None:
    needed = re.findall(r'(?:src|href)="([^"]+)"', inpaint.get(page).text)
    assert needed
    assert [inpaint.get(address).status_code for address in needed] == [200] * len(needed)
