"""How the networks of TorchScript files are run: as one frozen graph, and in bf16 all but their Fourier transforms."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(300)
PYTHON = ROOT / "inpaint-service" / ".venv" / "bin" / "python"
FROZEN = """
import json, pathlib, sys
import numpy as np, torch
from inpaint_service.engines import load
path = pathlib.Path(sys.argv[1])
engine, plain = load("lama", device="cpu", weights=path, threads=1), torch.jit.load(str(path)).eval()
told = []
for height, width in ((64, 64), (88, 200)):
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    pixels = torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255
    mask = torch.ones(1, 1, height, width)
    with torch.no_grad():
        was, now = plain(pixels, mask) * 255, engine.model.model(pixels, mask) * 255
    painted = engine.inpaint(rgb, np.full((height, width), 255, np.uint8))
    off = np.abs(painted - was[0].permute(1, 2, 0).numpy()).max()
    told.append({"spread": float(was.std()), "off": float((was - now).abs().max()), "painted_off": float(off)})
print(json.dumps({"sizes": told, "parameters": len(list(engine.model.model.parameters()))}))
"""
TYPES = """
import json, sys
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from inpaint_service.engines.frozen import frozen
from inpaint_service.engines.precision import arithmetic

class Watch(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = {}
    def __torch_dispatch__(self, op, types, args=(), named=None):
        name = op.name().partition("::")[2].split(".")[0]
        kinds = {str(arg.dtype).removeprefix("torch.") for arg in args if isinstance(arg, torch.Tensor)}
        self.seen.setdefault(name, set()).update(kinds)
        return op(*args, **(named or {}))

network = torch.jit.load(sys.argv[1]).eval()
if sys.argv[2] == "frozen":
    network = frozen(network)
with torch.no_grad(), torch.jit.optimized_execution(False), arithmetic("bf16", "cpu"), Watch() as watch:
    network(torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64))
print(json.dumps({name: sorted(kinds) for name, kinds in watch.seen.items()}))
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network built as LaMa is."""
    file = tmp_path_factory.mktemp("network") / "lama.pt"
    subprocess.run([PYTHON, ROOT / "tests" / "fakes" / "lama.py", file], check=True)
    return file


def answer(script: str, *arguments: str | Path) -> Any:
    told = subprocess.run([PYTHON, "-P", "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def test_on_the_processor_lama_is_frozen_and_paints_what_its_file_paints(network: Path) -> None:
    told = answer(FROZEN, network)
    assert told["parameters"] == 0
    for size in told["sizes"]:
        assert size["spread"] > 1
        assert size["off"] < 0.01
        assert size["painted_off"] <= 0.51


@pytest.mark.parametrize("form", ["as it is", "frozen"])
def test_in_bf16_every_convolution_is_and_no_fourier_transform(form: str, network: Path) -> None:
    seen = answer(TYPES, network, form)
    convolutions = {kind for name, kinds in seen.items() if "convolution" in name for kind in kinds}
    transforms = {name: kinds for name, kinds in seen.items() if "fft" in name}
    assert convolutions == {"bfloat16"}
    assert transforms == {"_fft_r2c": ["float32"], "_fft_c2r": ["complex64"]}
