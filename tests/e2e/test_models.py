"""The inpaint-service with a TorchScript model from a local file, as lama runs, and with models that are not there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from backend.cli.services import Services
from inpaint_service.engines.processor import has_bf16
from tests.conftest import ROOT
from tests.e2e.jobs import PATIENCE_S
from tests.e2e.pictures import busy_regions, noisy_text, png

pytestmark = pytest.mark.timeout(300)
PYTHON = ROOT / "inpaint-service" / ".venv" / "bin" / "python"
FAKES = ROOT / "tests" / "fakes"
DIFFUSION = "runwayml/stable-diffusion-inpainting"
MAKE = """
import pathlib, sys
fakes, folder, name = sys.argv[1:]
sys.path.insert(0, fakes)
import diffusion, lama, torchscript
folder = pathlib.Path(folder)
torchscript.write(folder / "lama.pt")
lama.write(folder / "fourier.pt")
diffusion.write(folder / name)
"""
BATCH = """
import pathlib, sys
import numpy as np
from inpaint_service.engines import Economy, load, most_in_batch
engine = load("lama", device="cpu", weights=pathlib.Path(sys.argv[1]), threads=1, economy=Economy(batch=3))
rng = np.random.default_rng(0)
rgb, mask = rng.integers(0, 256, (3, 50, 70, 3), np.uint8), np.zeros((3, 50, 70), np.uint8)
mask[0, 10:20, 10:60] = mask[1, 30:45, 20:40] = mask[2, :, 5:9] = 255
together = engine.inpaint_many(rgb, mask)
alone = np.stack([engine.inpaint(*pair) for pair in zip(rgb, mask)])
print(most_in_batch(engine), together.shape, np.abs(together.astype(int) - alone).max() <= 1)
"""
CRAMPED = """
import pathlib, sys, torch
from inpaint_service.engines import OutOfMemory, load
def cramped(*_, **__):
    raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes")
torch.jit.load = cramped
try:
    load("lama", device="cpu", weights=pathlib.Path(sys.argv[1]))
except OutOfMemory as error:
    print(error)
"""
REGION = {"x": 50, "y": 50, "width": 200, "height": 40}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny lama, one with Fourier convolutions, and a tiny diffusion model."""
    folder = tmp_path_factory.mktemp("weights")
    subprocess.run([PYTHON, "-c", MAKE, FAKES, folder, DIFFUSION], check=True)
    return folder


@pytest.fixture(scope="module")
def inpaint(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Iterator[str]:
    """An inpaint-service whose lama is a tiny TorchScript file that fills with the mean color."""
    environment = {
        "LAMA_MODEL_URL": str(weights / "lama.pt"),
        "IOPAINT_MODEL": "lama",
        "STRICT_MODEL": "true",
        "INPAINT_MODEL_DIR": str(weights),
        "INPAINT_THREADS": "1",
    }
    with Services(
        ROOT, tmp_path_factory.mktemp("lama"), environ={**os.environ, **environment}, names=["inpaint-service"]
    ) as running:
        yield running.urls["inpaint-service"]


def erase(url: str, **params: object) -> requests.Response:
    body = {"params": json.dumps({"regions": [REGION], **params})}
    files = {"image": png(noisy_text(400, 300, ()))}
    return requests.post(f"{url}/api/v1/inpaint-regions", files=files, data=body, timeout=PATIENCE_S)


def test_lama_repaints_textured_regions_from_a_local_file(inpaint: str) -> None:
    image = noisy_text(600, 500, ())
    regions = busy_regions(600, 500, 4)
    body = {"params": '{"regions": ' + str(regions).replace("'", '"') + ', "mask_mode": "box", "mask_dilation": 2}'}
    answer = requests.post(
        f"{inpaint}/api/v1/inpaint-regions", files={"image": png(image)}, data=body, timeout=PATIENCE_S
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Model"] == "lama"
    assert "X-Model-Requested" not in answer.headers
    before, after = np.array(image), np.array(Image.open(BytesIO(answer.content)))
    changed = (before != after).any(axis=2)
    allowed = np.zeros_like(changed)
    for region in regions:
        x, y, width, height = (region[name] for name in ("x", "y", "width", "height"))
        allowed[max(0, y - 2) : y + height + 2, max(0, x - 2) : x + width + 2] = True
    assert changed.any()
    assert not (changed & ~allowed).any()


def test_a_request_may_name_another_model(inpaint: str) -> None:
    answer = erase(inpaint, model="cv2")
    assert (answer.status_code, answer.headers["X-Model"]) == (200, "cv2")


def test_a_model_without_weights_is_refused_with_the_reason(inpaint: str) -> None:
    answer = erase(inpaint, model="mat")
    assert answer.status_code == 422
    assert "Places_512_FullData_G.pth is missing" in answer.json()["detail"]


def test_no_retry_is_asked_for_where_weights_are_broken(inpaint: str, weights: Path) -> None:
    (weights / "migan_traced.pt").write_bytes(b"no weights")
    answer = erase(inpaint, model="migan")
    assert answer.status_code == 503
    assert (answer.json()["code"], answer.json()["retryable"]) == ("engine_unusable", False)
    assert "migan_traced.pt does not load" in answer.json()["detail"]


def test_too_little_memory_for_weights_is_not_taken_for_broken_ones(weights: Path) -> None:
    command: list[str | Path] = [PYTHON, "-P", "-c", CRAMPED, weights / "lama.pt"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "lama.pt on cpu" in told.stdout


def test_a_diffusion_model_paints_from_a_local_folder_and_heeds_the_seed(inpaint: str) -> None:
    wish = {"model": DIFFUSION, "sd_steps": 2, "prompt": "a wall", "sd_sampler": "ddim"}
    first = erase(inpaint, **wish)
    assert first.status_code == 200, first.text
    assert first.headers["X-Model"] == DIFFUSION
    again = erase(inpaint, **wish, sd_seed=int(first.headers["X-Seed"]))
    other = erase(inpaint, **wish, sd_seed=int(first.headers["X-Seed"]) + 1)
    assert first.content == again.content != other.content
    before, after = np.array(noisy_text(400, 300, ())), np.array(Image.open(BytesIO(first.content)))
    assert (before[:30] == after[:30]).all()
    assert (before[60:80, 60:240] != after[60:80, 60:240]).any()


def test_a_diffusion_model_that_cannot_work_so_says_why(inpaint: str) -> None:
    answer = erase(inpaint, model=DIFFUSION, sd_strength=0.0)
    assert answer.status_code == 422
    assert DIFFUSION in answer.json()["detail"]


def test_crops_in_one_call_come_out_as_each_by_itself(weights: Path) -> None:
    command: list[str | Path] = [PYTHON, "-P", "-c", BATCH, weights / "fourier.pt"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["3", "(3,", "50,", "70,", "3)", "True"]


def test_bf16_is_close_where_the_processor_can_and_refused_where_it_cannot(weights: Path) -> None:
    command: list[str | Path] = [
        PYTHON,
        "-P",
        "-m",
        "inpaint_service.precision",
        "--threads",
        "1",
        "--weights",
        weights / "fourier.pt",
    ]
    told = subprocess.run([*command, ROOT / "examples" / "form.png"], capture_output=True, text=True, check=False)
    if has_bf16():
        assert told.returncode == 0, told.stderr
        assert "Rule of thumb: from 45 dB" in told.stdout
        assert 45 <= float(told.stdout.split()[0]) < 100
    else:
        assert told.returncode == 2
        assert "bf16 needs" in told.stderr
