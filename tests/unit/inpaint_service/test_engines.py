"""The table of models, and the embedded ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cleanplate.contract.problems import EngineUnavailable
from inpaint_service import engines
from inpaint_service.engines import catalog


@pytest.mark.parametrize("name", ["auto", "plane", "membrane"])
def test_an_embedded_engine_is_usable_everywhere_and_repaints(name: str) -> None:
    assert engines.usable(name) == (True, "embedded")
    engine = engines.load(name)
    engine.warm_up()
    rgb = np.full((30, 60, 3), 180, np.uint8)
    rgb[10:20, 20:40] = 0
    mask = np.zeros((30, 60), np.uint8)
    mask[9:21, 19:41] = 255
    assert (engine.inpaint(rgb, mask) == 180).all()
    assert rgb.min() == 0
    engine.close()


def test_auto_takes_planes_and_membranes_in_one_crop() -> None:
    rgb = np.full((60, 200, 3), 90, np.uint8)
    rgb[:, 100:] = np.random.default_rng(0).integers(0, 256, (60, 100, 3))
    mask = np.zeros((60, 200), np.uint8)
    mask[20:40, 20:80] = mask[20:40, 120:180] = 255
    out = engines.load("auto").inpaint(rgb, mask)
    assert (out[20:40, 20:80] == 90).all()
    assert not np.array_equal(out[20:40, 120:180], rgb[20:40, 120:180])
    assert np.array_equal(out[mask == 0], rgb[mask == 0])


@pytest.mark.parametrize("name", [name for name, spec in catalog.IOPAINT.items() if spec.weights])
def test_missing_weights_are_named_with_where_to_get_them(name: str, tmp_path: Path) -> None:
    able, reason = engines.usable(name, weights_dir=tmp_path)
    assert not able
    for item in catalog.IOPAINT[name].weights:
        assert str(tmp_path / item.file) in reason
        assert item.url in reason


def test_a_file_of_ones_own_stands_for_a_single_file_model(tmp_path: Path) -> None:
    own = tmp_path / "my-lama.pt"
    assert str(own) in engines.usable("lama", weights_dir=tmp_path, weights=own)[1]
    own.touch()
    assert engines.weights_files("lama", tmp_path, own) == {"big-lama.pt": own}
    assert "missing" not in engines.usable("lama", weights_dir=tmp_path, weights=own)[1]


@pytest.mark.parametrize("name", catalog.DIFFUSION)
def test_diffusion_models_are_known_but_not_in_this_build(name: str) -> None:
    able, reason = engines.usable(name)
    assert not able
    assert "not in this build" in reason


def test_an_unknown_name_lists_the_known_ones() -> None:
    able, reason = engines.usable("lamma")
    assert not able
    assert "lama" in reason


def test_loading_what_cannot_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"big-lama\.pt is missing"):
        engines.load("lama", weights_dir=tmp_path)


def test_asking_what_is_usable_imports_no_torch(root: Path) -> None:
    code = "import sys; from inpaint_service import engines; [engines.usable(n) for n in engines.NAMES]; "
    code += "engines.load('auto'); sys.exit('torch' in sys.modules or 'iopaint' in sys.modules)"
    path = f"import sys; sys.path[:0] = [{str(root / 'shared')!r}, {str(root / 'inpaint-service')!r}]; "
    assert subprocess.run([sys.executable, "-c", path + code], check=False).returncode == 0
