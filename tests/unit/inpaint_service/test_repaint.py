"""One picture from mask to result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cleanplate.contract.messages import Region
from cleanplate.contract.problems import EngineUnavailable, Internal, Invalid
from inpaint_service import fills, masks, repaint
from inpaint_service.crops import CropOptions
from inpaint_service.engines import OutOfMemory, Params
from inpaint_service.engines.embedded import Embedded
from inpaint_service.masks import MaskOptions
from inpaint_service.repaint import Canvas, Note, Options

Picture = NDArray[np.uint8]
TIGHT = MaskOptions(dilation=0.0)


class Painter:
    """Fills the mask with one color, spoils its inputs if it can, and remembers what it was shown."""

    modulus = 1
    calls_at_once = 1

    def __init__(self, limit_px: int = 10_000, device: str = "cpu", largest_side_px: int | None = None) -> None:
        self.name, self.device, self.largest_side_px = "painter", device, largest_side_px
        self.limit_px = limit_px
        self.seen: list[tuple[int, int]] = []
        self.params: list[Params | None] = []

    def warm_up(self) -> None:
        pass

    def inpaint(self, rgb: Picture, mask: Picture, params: Params | None = None) -> Picture:
        if max(mask.shape) > self.limit_px:
            raise OutOfMemory(f"{mask.shape}")
        self.seen.append(mask.shape)
        self.params.append(params)
        out = np.full_like(rgb, 77)
        rgb[:], mask[:] = 1, 1
        return out

    def close(self) -> None:
        pass


class Cropped(Painter):
    """Returns less than it was given."""

    def inpaint(self, rgb: Picture, mask: Picture, params: Params | None = None) -> Picture:
        return rgb[1:]


class Shaded(Painter):
    """Paints each call in a gray of its own, lighter by ten than the one before."""

    def inpaint(self, rgb: Picture, mask: Picture, params: Params | None = None) -> Picture:
        return super().inpaint(rgb, mask, params) // 77 * np.uint8(10 * len(self.seen))


class Many(Painter):
    """Takes several crops in a call, unless that is more than its memory holds."""

    def __init__(self, most_in_batch: int = 4, bears: int = 100, device: str = "cpu") -> None:
        super().__init__(device=device)
        self.most_in_batch, self.bears = most_in_batch, bears
        self.batches: list[tuple[int, ...]] = []

    def inpaint_many(self, rgb: Picture, mask: Picture, params: Params | None = None) -> Picture:
        if len(mask) > self.bears:
            raise OutOfMemory(f"{mask.shape}")
        self.batches.append(mask.shape)
        self.params.append(params)
        return np.stack([self.inpaint(*pair) for pair in zip(rgb, mask, strict=True)])


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def line(height: int, width: int, left: int, top: int, right: int, bottom: int) -> Picture:
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def done(rgb: Picture, mask: Picture, painter: Painter | Embedded, options: Options | None = None) -> Picture:
    plan = repaint.plan(rgb, mask, painter, options)
    canvas = Canvas(rgb, plan, painter)
    for unit in plan.units:
        canvas.repaint(unit)
    return canvas.picture


@pytest.mark.parametrize("name", ["painter", "auto", "plane", "membrane", "coherence", "pattern"])
@pytest.mark.parametrize("strategy", ["Auto", "Original", "Resize", "Crop"])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_pixels_outside_the_mask_are_the_very_same(name: str, strategy: repaint.HdStrategy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(2, 150, 2))
    rgb = noise(height, width, seed)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(3):
        x, y = rng.integers(0, width), rng.integers(0, height)
        mask[y : y + 9, x : x + 40] = 255
    before, mask_before = rgb.copy(), mask.copy()
    options = Options(
        strategy, crop_trigger_px=50, resize_limit_px=64, feather_px=seed % 4, crops=CropOptions(largest_side_px=64)
    )
    out = done(rgb, mask, Painter() if name == "painter" else Embedded(name), options)
    assert np.array_equal(out[mask == 0], before[mask == 0])
    assert np.array_equal(rgb, before)
    assert np.array_equal(mask, mask_before)


@pytest.mark.parametrize("strategy", ["Auto", "Original", "Resize", "Crop"])
def test_every_masked_pixel_is_repainted(strategy: repaint.HdStrategy) -> None:
    mask = line(200, 500, 10, 10, 490, 40) | line(200, 500, 100, 150, 130, 190)
    options = Options(strategy, crop_trigger_px=50, resize_limit_px=100, crops=CropOptions(largest_side_px=100))
    assert (done(noise(200, 500), mask, Painter(), options)[mask > 0] == 77).all()


def test_each_region_is_told_what_repaints_it_and_why() -> None:
    rgb = noise(100, 300)
    rgb[:, 150:] = 200
    regions = [
        Region(id="rough", x=20, y=30, width=80, height=20),
        Region(id="flat", x=180, y=30, width=80, height=20),
        Region(id="flat too", x=200, y=40, width=80, height=20),
    ]
    patches = masks.region_patches(regions, (100, 300), TIGHT)
    mask = masks.mask_from_regions(regions, (100, 300), TIGHT)
    plan = repaint.plan(rgb, mask, Painter(), regions=patches)
    assert [(result.id, result.strategy) for result in plan.results] == [
        ("rough", "painter"),
        ("flat", "plane"),
        ("flat too", "plane"),
    ]
    assert [(unit.strategy, unit.regions) for unit in plan.units] == [("plane", (1, 2)), ("painter", (0,))]


def test_without_regions_the_pieces_of_the_mask_are_numbered() -> None:
    mask = line(100, 300, 20, 30, 80, 50) | line(100, 300, 180, 60, 240, 80)
    plan = repaint.plan(noise(100, 300), mask, Painter())
    assert [result.id for result in plan.results] == ["0", "1"]


def test_an_empty_mask_has_no_units() -> None:
    assert repaint.plan(noise(20, 20), np.zeros((20, 20), np.uint8), Painter()).units == ()


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        repaint.plan(noise(20, 30), np.zeros((30, 20), np.uint8), Painter())
    assert caught.value.field == "mask"


def test_the_plane_that_a_ring_was_judged_by_is_the_one_that_fills() -> None:
    slope = (np.add.outer(np.arange(100), np.arange(300)) // 2).astype(np.uint8)
    rgb = slope[..., None] + np.random.default_rng(0).integers(0, 2, (100, 300, 3)).astype(np.uint8)  # hardly any grain
    mask = line(100, 300, 0, 30, 80, 50) | line(100, 300, 82, 40, 90, 50) | line(100, 300, 180, 60, 240, 80)
    plan = repaint.plan(rgb, mask, Painter())
    assert [unit.plane is not None for unit in plan.units] == [True, True]
    assert np.array_equal(done(rgb, mask, Painter()), fills.plane_fill(rgb, mask))


def test_a_unit_that_was_not_done_changes_nothing() -> None:
    rgb = noise(100, 1000)
    mask = line(100, 1000, 10, 40, 60, 60) | line(100, 1000, 900, 40, 950, 60)
    painter = Painter()
    plan = repaint.plan(rgb, mask, painter)
    canvas = Canvas(rgb, plan, painter)
    canvas.repaint(plan.units[0])
    assert (canvas.picture[40:60, 10:60] == 77).all()
    assert np.array_equal(canvas.picture[40:60, 900:950], rgb[40:60, 900:950])


def test_the_original_strategy_shows_the_whole_picture_once() -> None:
    painter = Painter()
    done(noise(100, 400), line(100, 400, 10, 40, 300, 60), painter, Options("Original"))
    assert painter.seen == [(100, 400)]


def test_the_resize_strategy_shows_it_scaled_down() -> None:
    painter = Painter()
    done(noise(100, 400), line(100, 400, 10, 40, 300, 60), painter, Options("Resize", resize_limit_px=200))
    assert painter.seen == [(50, 200)]


def test_the_crop_strategy_shows_each_contour_by_itself() -> None:
    painter = Painter()
    mask = line(300, 400, 100, 100, 200, 120) | line(300, 400, 100, 130, 200, 150)
    options = Options("Crop", crop_trigger_px=300, crop_margin_px=10)
    done(noise(300, 400), mask, painter, options)
    assert painter.seen == [(40, 120), (40, 120)]


def test_the_models_own_bound_is_kept() -> None:
    painter = Painter(largest_side_px=128)
    done(noise(200, 600), line(200, 600, 10, 50, 590, 150), painter)
    assert max(max(shape) for shape in painter.seen) <= 128


def test_the_requests_fields_reach_the_model() -> None:
    painter, params = Painter(), Params({"sd_seed": 7})
    done(noise(50, 50), line(50, 50, 10, 10, 30, 30), painter, Options(params=params))
    assert painter.params == [params]


def test_out_of_memory_is_met_with_smaller_tiles_and_noted() -> None:
    rgb, mask, painter = noise(400, 700), line(400, 700, 20, 20, 680, 380), Painter(limit_px=200)
    options = Options(crops=CropOptions(largest_side_px=1000))
    plan = repaint.plan(rgb, mask, painter, options)
    canvas = Canvas(rgb, plan, painter)
    codes = [note.code for unit in plan.units for note in canvas.repaint(unit)]
    assert codes[:2] == ["out_of_memory", "split"]
    assert (canvas.picture[mask > 0] == 77).all()


def test_out_of_memory_goes_to_the_cpu_at_last_and_stays_there() -> None:
    rgb, mask = noise(150, 300), line(150, 300, 20, 20, 280, 130)
    on_gpu, on_cpu = Painter(limit_px=10, device="cuda"), Painter()
    plan = repaint.plan(rgb, mask, on_gpu)
    canvas = Canvas(rgb, plan, on_gpu, load_on_cpu=lambda: on_cpu)
    notes = [note for unit in plan.units for note in canvas.repaint(unit)]
    assert [note.code for note in notes].count("cpu") == 1
    assert isinstance(notes[0], Note)
    assert (canvas.picture[mask > 0] == 77).all()


@pytest.mark.parametrize("vertical", [False, True])
def test_tiles_fade_into_each_other(vertical: bool) -> None:
    rgb, mask = noise(140, 1000), line(140, 1000, 0, 50, 1000, 90)
    if vertical:
        rgb, mask = rgb.swapaxes(0, 1).copy(), mask.T.copy()
    painter = Shaded()
    out = done(rgb, mask, painter, Options(crops=CropOptions(largest_side_px=400)))
    along = out[:, 70, 0] if vertical else out[70, :, 0]
    steps = np.diff(along.astype(int))
    assert len(painter.seen) > 2
    assert (along[0], along[-1]) == (10, 10 * len(painter.seen))
    assert set(steps.tolist()) == {0, 1}
    assert np.array_equal(out[mask == 0], rgb[mask == 0])


def test_a_tile_is_painted_beside_the_one_before_it() -> None:
    class Witness(Painter):
        def inpaint(self, rgb: Picture, mask: Picture, params: Params | None = None) -> Picture:
            known.append(bool((rgb[mask == 0] == 77).all(axis=-1).any()))
            return super().inpaint(rgb, mask, params)

    known: list[bool] = []
    mask = line(140, 700, 0, 50, 700, 90)
    done(noise(140, 700), mask, Witness(), Options(crops=CropOptions(largest_side_px=400)))
    assert known == [False, True, True]


def test_tiles_of_tiles_leave_no_text_and_keep_what_is_not_masked() -> None:
    rgb, mask, painter = noise(900, 900), line(900, 900, 30, 30, 870, 860), Painter(limit_px=230)
    out = done(rgb, mask, painter)
    assert (out[mask > 0] == 77).all()
    assert np.array_equal(out[mask == 0], rgb[mask == 0])


def test_a_feather_at_a_seam_is_that_of_one_window() -> None:
    rgb, mask = noise(140, 1000), line(140, 1000, 20, 50, 980, 90)
    whole = done(rgb, mask, Painter(), Options("Original", feather_px=5))
    tiled = done(rgb, mask, Painter(), Options(feather_px=5, crops=CropOptions(largest_side_px=300)))
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def lines_apart(count: int) -> Picture:
    mask = np.zeros((200 * count, 400), np.uint8)
    for index in range(count):
        mask[200 * index + 80 : 200 * index + 100 + index, 100 : 300 - index] = 255
    return mask


def test_windows_of_about_the_same_size_go_to_a_model_that_can_in_one_call() -> None:
    mask, painter, params = lines_apart(5), Many(4), Params({"sd_seed": 7})
    rgb = noise(1000, 400)
    out = done(rgb, mask, painter, Options(params=params))
    assert painter.batches == [(4, 96, 288)]
    assert painter.seen == [(96, 288)] * 5
    assert painter.params[0] == params
    assert (out[mask > 0] == 77).all()
    assert np.array_equal(out[mask == 0], rgb[mask == 0])


def test_a_batch_is_one_unit_that_serves_the_regions_of_its_windows() -> None:
    plan = repaint.plan(noise(1000, 400), lines_apart(5), Many(4))
    assert [unit.regions for unit in plan.units] == [(0, 1, 2, 3), (4,)]


def test_a_batch_that_memory_does_not_hold_is_done_one_by_one() -> None:
    rgb, mask, painter = noise(800, 400), lines_apart(4), Many(4, bears=2)
    [unit] = repaint.plan(rgb, mask, painter).units
    canvas = Canvas(rgb, repaint.plan(rgb, mask, painter), painter)
    assert [note.code for note in canvas.repaint(unit)] == ["out_of_memory", "split"]
    assert (len(painter.seen), painter.batches) == (4, [])
    assert (canvas.picture[mask > 0] == 77).all()


def test_batches_for_the_gpu_are_done_one_by_one_on_a_cpu_that_takes_none() -> None:
    rgb, mask, on_gpu, on_cpu = noise(1600, 400), lines_apart(8), Many(4, bears=0, device="cuda"), Painter()
    on_gpu.limit_px = 1
    plan = repaint.plan(rgb, mask, on_gpu)
    canvas = Canvas(rgb, plan, on_gpu, load_on_cpu=lambda: on_cpu)
    told = [[note.code for note in canvas.repaint(unit)] for unit in plan.units]
    assert told[0][:2] == ["out_of_memory", "split"]
    assert told[0][-1] == "cpu"
    assert told[1] == []
    assert on_cpu.seen[-7:] == [(96, 288)] * 7
    assert (canvas.picture[mask > 0] == 77).all()


def test_memory_that_does_not_suffice_anywhere_is_an_error() -> None:
    rgb, mask, painter = noise(50, 50), line(50, 50, 10, 10, 30, 30), Painter(limit_px=1)
    plan = repaint.plan(rgb, mask, painter)
    with pytest.raises(EngineUnavailable, match="memory"):
        Canvas(rgb, plan, painter).repaint(plan.units[0])


def test_a_model_that_returns_another_size_is_a_defect() -> None:
    rgb, mask, painter = noise(50, 50), line(50, 50, 10, 10, 30, 30), Cropped()
    plan = repaint.plan(rgb, mask, painter)
    with pytest.raises(Internal):
        Canvas(rgb, plan, painter).repaint(plan.units[0])


def test_a_feather_lies_inside_the_mask() -> None:
    rgb, mask = np.zeros((60, 60, 3), np.uint8), line(60, 60, 10, 10, 50, 50)
    rgb[::2] = 255
    out = done(rgb, mask, Painter(), Options(feather_px=4))
    assert out[30, 30].tolist() == [77, 77, 77]
    assert out[10, 30].tolist() not in ([77] * 3, [255] * 3)
    assert np.array_equal(out[mask == 0], rgb[mask == 0])
