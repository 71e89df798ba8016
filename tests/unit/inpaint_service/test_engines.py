"""The table of models, and the embedded ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cleanplate.contract.problems import EngineUnusable
from inpaint_service import engines
from inpaint_service.engines import OutOfMemory, catalog, folders, processor
from inpaint_service.engines.offload import Offload

NO_TORCH = "the package torch is not installed"


@pytest.mark.parametrize("name", ["auto", "plane", "membrane", "coherence", "pattern"])
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


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of Hugging Face's."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def pipeline(folder: Path, parts: tuple[str, ...] = ("unet", "vae")) -> Path:
    """A folder with an index that names two parts, and these parts."""
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(
        '{"_class_name": "P", "unet": ["diffusers", "U"], "vae": ["diffusers", "A"], "safety_checker": [null, null]}'
    )
    for part in parts:
        (folder / part).mkdir()
        (folder / part / "config.json").touch()
    return folder


@pytest.mark.parametrize("name", catalog.DIFFUSION)
def test_a_diffusion_model_that_is_not_there_is_named_with_where_it_belongs(name: str, no_cache: Path) -> None:
    able, reason = engines.usable(name)
    assert not able
    if not catalog.DIFFUSION[name].unfit:
        assert f"huggingface-cli download {name}" in reason
        assert str(no_cache) in reason


def test_a_diffusion_model_is_found_in_the_model_folder_before_the_cache(tmp_path: Path, no_cache: Path) -> None:
    name = "runwayml/stable-diffusion-inpainting"
    cached = pipeline(no_cache / "models--runwayml--stable-diffusion-inpainting" / "snapshots" / "abc")
    assert folders.find(name, tmp_path / "models") == (cached, "")
    own = pipeline(tmp_path / "models" / name)
    assert folders.find(name, tmp_path / "models") == (own, "")
    assert engines.usable(name, weights_dir=tmp_path / "models")[1] in ("weights found", NO_TORCH)


def test_the_cache_s_main_branch_wins(no_cache: Path) -> None:
    repository = no_cache / "models--runwayml--stable-diffusion-inpainting"
    for revision in ("abc", "def"):
        pipeline(repository / "snapshots" / revision)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc\n")
    assert folders.find("runwayml/stable-diffusion-inpainting")[0] == repository / "snapshots" / "abc"


def test_a_download_that_broke_off_is_told_with_what_it_lacks(tmp_path: Path, no_cache: Path) -> None:
    pipeline(tmp_path / "runwayml" / "stable-diffusion-inpainting", parts=("vae",))
    found, reason = folders.find("runwayml/stable-diffusion-inpainting", tmp_path)
    assert found is None
    assert reason.endswith("it lacks unet")


@pytest.mark.parametrize(
    ("flags", "able"), [("fpu avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu avx512f", False)]
)
def test_bf16_is_what_the_processor_says(flags: str, able: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: spectre_v1\n")
    assert processor.has_bf16(tmp_path / "cpuinfo") is able
    assert not processor.has_bf16(tmp_path / "nowhere")


class Part:
    """A module that remembers where it was moved."""

    def __init__(self) -> None:
        self.places: list[str] = []

    def to(self, device: str) -> None:
        self.places.append(device)


def test_offloaded_weights_are_on_the_device_for_the_call_only() -> None:
    part = Part()
    offload = Offload([part], "cuda")
    with offload.lent():
        assert part.places == ["cpu", "cuda"]
    assert part.places == ["cpu", "cuda", "cpu"]
    with pytest.raises(OutOfMemory), offload.lent():
        raise OutOfMemory
    assert part.places[-1] == "cpu"


def test_an_unknown_name_lists_the_known_ones() -> None:
    able, reason = engines.usable("lamma")
    assert not able
    assert "lama" in reason


def test_loading_what_cannot_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineUnusable, match=r"big-lama\.pt is missing") as caught:
        engines.load("lama", weights_dir=tmp_path)
    assert not caught.value.retryable


def test_asking_what_is_usable_imports_no_torch(root: Path) -> None:
    code = "import sys; from inpaint_service import engines; [engines.usable(n) for n in engines.NAMES]; "
    code += "engines.load('auto'); sys.exit('torch' in sys.modules or 'iopaint' in sys.modules)"
    path = f"import sys; sys.path[:0] = [{str(root / 'shared')!r}, {str(root / 'inpaint-service')!r}]; "
    assert subprocess.run([sys.executable, "-c", path + code], check=False).returncode == 0
