"""Regions become masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.contract.messages import Region
from cleanplate.contract.problems import Invalid, RegionOutside
from inpaint_service import masks
from inpaint_service.masks import MaskOptions
from inpaint_service.patches import paint, split

SIZE = (60, 80)
TIGHT = MaskOptions(dilation=0.0)
DIAMOND = Region(polygon=((40, 10), (60, 30), (40, 50), (20, 30)))


def box(x: float, y: float, width: float, height: float, **more: object) -> Region:
    return Region.model_validate({"x": x, "y": y, "width": width, "height": height, **more})


def test_a_box_without_dilation_is_exactly_its_pixels() -> None:
    mask = masks.mask_from_regions([box(10, 20, 30, 8)], SIZE, TIGHT)
    expected = np.zeros(SIZE, np.uint8)
    expected[20:28, 10:40] = 255
    assert np.array_equal(mask, expected)


def test_a_box_covers_every_pixel_it_touches() -> None:
    mask = masks.mask_from_regions([box(10.4, 20.4, 2.2, 2.2)], SIZE, TIGHT)
    assert masks.area_px(mask) == 9


def test_dilation_below_one_is_a_share_of_the_text_height_and_from_one_on_pixels() -> None:
    share = masks.mask_from_regions([box(20, 20, 30, 10)], SIZE, MaskOptions(dilation=0.3))
    pixels = masks.mask_from_regions([box(20, 20, 30, 10)], SIZE, MaskOptions(dilation=3))
    assert np.array_equal(share, pixels)
    assert masks.area_px(share) == 36 * 16


def test_a_polygon_is_dilated_by_a_disk() -> None:
    tight = masks.mask_from_regions([DIAMOND], SIZE, TIGHT)
    grown = masks.mask_from_regions([DIAMOND], SIZE, MaskOptions(dilation=4))
    rows, columns = np.nonzero(tight)
    for y, x in np.argwhere(grown):
        assert math.sqrt(((rows - y) ** 2 + (columns - x) ** 2).min()) <= 4
    assert masks.area_px(tight) == pytest.approx(800, rel=0.1)
    assert grown[30, 16] == 255


def test_auto_keeps_the_corners_of_a_tilted_polygon_and_box_mode_fills_them() -> None:
    assert masks.mask_from_regions([DIAMOND], SIZE, TIGHT)[12, 22] == 0
    assert masks.mask_from_regions([DIAMOND], SIZE, MaskOptions("box", 0.0))[12, 22] == 255


def test_a_regions_own_mode_goes_first() -> None:
    own = DIAMOND.model_copy(update={"mask_mode": "box"})
    assert masks.mask_from_regions([own], SIZE, TIGHT)[12, 22] == 255


@pytest.mark.parametrize("outside", [box(80, 0, 5, 5), box(-9, 3, 8, 8), box(3, 3, 0, 9), box(5, 60, 5, 5)])
def test_a_region_outside_or_without_area_is_named_by_its_index(outside: Region) -> None:
    with pytest.raises(RegionOutside) as caught:
        masks.mask_from_regions([box(1, 1, 5, 5), outside], SIZE)
    assert caught.value.extra["index"] == 1


def test_a_region_over_the_border_is_clipped() -> None:
    mask = masks.mask_from_regions([box(-5, -5, 10, 10)], SIZE, TIGHT)
    assert masks.area_px(mask) == 25


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_nonsensical_dilation_is_refused(value: float) -> None:
    with pytest.raises(Invalid) as caught:
        MaskOptions(dilation=value)
    assert caught.value.field == "mask_dilation"


def test_region_patches_bear_ids_and_unite_to_the_mask() -> None:
    regions = [box(1, 1, 9, 9, id="a"), DIAMOND, box(30, 30, 20, 20)]
    patches = masks.region_patches(regions, SIZE)
    assert [patch.name for patch in patches] == ["a", "1", "2"]
    assert np.array_equal(paint(patches, SIZE), masks.mask_from_regions(regions, SIZE))


def test_a_mask_picture_is_binarized_above_127() -> None:
    picture = np.array([[0, 127, 128, 255]], np.uint8)
    assert masks.mask_from_image(picture).tolist() == [[0, 0, 255, 255]]


def test_a_mask_pictures_alpha_does_not_count() -> None:
    rgba = np.zeros((1, 2, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[0, 1, 0] = 200
    assert masks.mask_from_image(rgba).tolist() == [[0, 255]]


def test_overlapping_regions_count_once_in_the_area() -> None:
    mask = masks.mask_from_regions([box(0, 0, 10, 10), box(5, 0, 10, 10)], SIZE, TIGHT)
    assert masks.area_px(mask) == 150


@given(st.integers(0, 9), st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_a_feather_is_zero_outside_and_one_deep_inside(feather_px: int, width: int, height: int) -> None:
    mask = masks.mask_from_regions([box(20, 15, width, height)], SIZE, TIGHT)
    share = masks.feather(mask, feather_px)
    assert not share[mask == 0].any()
    assert (share[mask > 0] > 0).all()
    depth = min(width, height) // 2
    if depth > feather_px + 1:
        assert share[15 + height // 2, 20 + width // 2] == 1


def test_a_feather_does_not_start_at_the_pictures_border() -> None:
    assert masks.feather(np.full((9, 9), 255, np.uint8), 3).min() == 1


@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_the_pieces_of_a_mask_hold_every_pixel_once(seed: int, near_px: int) -> None:
    mask = np.where(np.random.default_rng(seed).random((24, 31)) > 0.9, np.uint8(255), np.uint8(0))
    pieces = split(mask, near_px=near_px)
    assert np.array_equal(paint(pieces, mask.shape), mask)
    assert sum(piece.area for piece in pieces) == masks.area_px(mask)
