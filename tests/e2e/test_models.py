"""The inpaint-service with a TorchScript model from a local file, as lama runs, and with models that are not there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
import requests
from PIL import Image

from backend.cli.services import Services
from tests.conftest import ROOT
from tests.e2e.jobs import PATIENCE_S
from tests.e2e.pictures import busy_regions, noisy_text, png

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def inpaint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An inpaint-service whose lama is a tiny TorchScript file that fills with the mean color."""
    folder = tmp_path_factory.mktemp("lama")
    python = ROOT / "inpaint-service" / ".venv" / "bin" / "python"
    subprocess.run([python, ROOT / "tests" / "fakes" / "torchscript.py", folder / "lama.pt"], check=True)
    environment = {"LAMA_MODEL_URL": str(folder / "lama.pt"), "IOPAINT_MODEL": "lama", "STRICT_MODEL": "true"}
    with Services(ROOT, folder, environ={**os.environ, **environment}, names=["inpaint-service"]) as running:
        yield running.urls["inpaint-service"]


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
    body = {"params": '{"regions": [{"x": 50, "y": 50, "width": 200, "height": 40}], "model": "cv2"}'}
    files = {"image": png(noisy_text(400, 300, ()))}
    answer = requests.post(f"{inpaint}/api/v1/inpaint-regions", files=files, data=body, timeout=PATIENCE_S)
    assert (answer.status_code, answer.headers["X-Model"]) == (200, "cv2")


def test_a_model_without_weights_is_refused_with_the_reason(inpaint: str) -> None:
    body = {"params": '{"regions": [{"x": 50, "y": 50, "width": 200, "height": 40}], "model": "mat"}'}
    files = {"image": png(noisy_text(400, 300, ()))}
    answer = requests.post(f"{inpaint}/api/v1/inpaint-regions", files=files, data=body, timeout=PATIENCE_S)
    assert answer.status_code == 422
    assert "Places_512_FullData_G.pth is missing" in answer.json()["detail"]
