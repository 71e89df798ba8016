"""The three services in containers: what they may, what they do, what is left of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from websockets.sync.client import connect

from backend.residue import still_readable
from cleanplate.runtime.images import PictureLimits, decode
from tests.compose.project import SERVICES, Project
from tests.conftest import ROOT
from tests.e2e.conftest import TESTSET
from tests.e2e.jobs import PATIENCE_S, Job, check_log, readings, submit
from tests.e2e.pictures import busy_regions, noisy_text, png

LIMITS = PictureLimits(0, 0, 0)
PICTURES = (
    ROOT / "examples" / "poster.jpg",
    *(TESTSET / "self-supervised-text-erasing").glob("poster_test_[12].png"),
)

WHAT_IT_MAY = """
import json, os
seen = dict(line.rstrip().split(":\\t", 1) for line in open("/proc/1/status") if ":\\t" in line)
folders = (folder for folder, _, _ in os.walk("/") if not folder.startswith(("/proc", "/sys")))
seen["writable"] = sorted({"/" + folder.split("/")[1] for folder in folders if os.access(folder, os.W_OK)})
print(json.dumps(seen))
"""

pytestmark = pytest.mark.timeout(4000)  # the first of them builds the images


@pytest.fixture(scope="module")
def busy_picture() -> bytes:
    return png(noisy_text(2000, 2600, busy_regions(2000, 2600, 24)))


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_privileges_and_writes_to_its_volume_and_memory_only(project: Project, service: str) -> None:
    seen = json.loads(project.inside(service, WHAT_IT_MAY))
    assert seen["Uid"].split() == ["10001"] * 4
    assert int(seen["CapBnd"], 16) == 0
    assert seen["NoNewPrivs"] == "1"
    assert seen["writable"] == ["/data", "/dev", "/tmp"]
    assert project.container(service)["HostConfig"]["ReadonlyRootfs"]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_erased_through_the_published_port(project: Project, path: Path) -> None:
    job = submit(project.url, path.read_bytes())
    view = job.end()
    assert view["status"] == "succeeded", view["error"]
    check_log(job.log())
    before, after = decode(path.read_bytes(), LIMITS), decode(job.file("result"), LIMITS)
    outside = decode(job.file("mask"), LIMITS).rgb[:, :, 0] == 0
    assert np.array_equal(after.rgb[outside], before.rgb[outside])
    found = readings(job.regions())
    again = submit(project.url, job.file("result"))
    again.end()
    left = sum(still_readable(reading, readings(again.regions())) for reading in found)
    assert found
    assert left <= len(found) / 10


def test_a_killed_container_is_started_again_and_its_job_succeeds(project: Project, busy_picture: bytes) -> None:
    job = submit(project.url, busy_picture)
    wait_for(job, lambda event: event["data"].get("stage") == "inpainting")
    before = project.container("inpaint-service")
    project.kill(before)
    assert job.end()["status"] == "succeeded"
    check_log(job.log())
    after = project.container("inpaint-service")
    assert after["Id"] == before["Id"]
    assert after["RestartCount"] == before["RestartCount"] + 1


def test_a_stopped_backend_gives_its_job_back_and_goes_on_with_it(project: Project, busy_picture: bytes) -> None:
    job = submit(project.url, busy_picture)
    wait_for(job, lambda event: event["type"] == "progress")
    project.compose("restart", "backend")
    project.wait_healthy()
    assert job.end()["status"] == "succeeded"
    assert "requeued" in [event["type"] for event in job.log()]


def test_nothing_is_left_after_down_with_volumes(images: None) -> None:
    with Project(ROOT, "cleanplate-test-down") as project:
        assert len(project.leftovers()) == 3 + 4 + 2  # containers, volumes, networks
    assert project.leftovers() == []


@pytest.mark.parametrize(
    ("overlays", "service", "image"),
    [(["gpu.yaml"], "inpaint-service", "gpu"), (["scale.yaml", "gpu-workers.yaml"], "inpaint-worker", "scale-gpu")],
    ids=["one process", "workers"],
)
def test_a_gpu_overlay_gives_who_repaints_a_device_and_an_image_for_it(
    images: None, overlays: list[str], service: str, image: str
) -> None:
    services = yaml.safe_load(Project(ROOT, "cleanplate-test", overlays=overlays).compose("config"))["services"]
    has = {name: "deploy" in made for name, made in services.items()}
    made = services[service]
    assert [name for name in has if has[name]] == [service]
    assert [device["driver"] for device in made["deploy"]["resources"]["reservations"]["devices"]] == ["nvidia"]
    assert (made["image"], made["environment"]["IOPAINT_DEVICE"]) == (f"cleanplate/inpaint-service:{image}", "cuda")
    assert made["build"]["args"]["CUDA"] == "1"
    assert ("SCALE" in made["build"]["args"]) == ("scale" in image)


def wait_for(job: Job, is_it: Callable[[dict[str, Any]], bool]) -> None:
    url = f"ws{job.backend.removeprefix('http')}/api/v1/ws/jobs/{job.id}"
    with connect(url, open_timeout=PATIENCE_S) as events:
        assert any(is_it(json.loads(event)) for event in events), "the job ended before"
