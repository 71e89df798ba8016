"""From where the ink is to a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import Region
from inpaint_service.masks import STROKE_NEAR, STROKE_REACH, MaskOptions, region_patches
from inpaint_service.patches import Edges, Patch, paint
from inpaint_service.tracing import Tracer

SIZE = (80, 200)
LINE = Region(x=20, y=30, width=120, height=20)
Picture = NDArray[np.uint8]


def letters(*boxes: Edges) -> NDArray[np.float32]:
    ink = np.zeros(SIZE, np.float32)
    for left, top, right, bottom in boxes:
        ink[top:bottom, left:right] = 1
    return ink


def tracer(rgb: Picture, ink: NDArray[np.float32]) -> Tracer:
    def find(_: Picture, __: Region, edges: Edges) -> NDArray[np.float32]:
        left, top, right, bottom = edges
        return ink[top:bottom, left:right].copy()

    return Tracer(rgb, find)


def textured(ink: NDArray[np.float32]) -> Picture:
    rgb = np.random.default_rng(1).choice(np.array([40, 110], np.uint8), (*SIZE, 3))
    rgb[ink > 0] = 250
    return rgb


def traced(rgb: Picture, ink: NDArray[np.float32], region: Region = LINE) -> Patch | None:
    whole, near, hull = (
        region_patches([region], SIZE, MaskOptions("polygon", reach))[0] for reach in (0.1, STROKE_NEAR, STROKE_REACH)
    )
    return tracer(rgb, ink).trace(region, whole, near, hull, paint([whole], SIZE))


def mask(patch: Patch) -> NDArray[np.bool_]:
    return np.asarray(paint([patch], SIZE) > 0)


def test_a_trace_is_the_ink_and_one_pixel_around_it() -> None:
    ink = letters((30, 33, 36, 47), (50, 33, 56, 47))
    trace = traced(textured(ink), ink)
    assert trace is not None
    assert mask(trace)[ink > 0].all()
    assert np.count_nonzero(mask(trace)) == 2 * (6 * 14 + 2 * (6 + 14))


def test_of_what_is_around_letters_the_soft_edge_goes_and_what_looks_like_the_ground_stays() -> None:
    ink = letters((30, 33, 36, 47))
    rgb = np.full((*SIZE, 3), 90, np.uint8)
    rgb[ink > 0] = 250
    rgb[33:47, 36] = 130  # one side is soft
    trace = traced(rgb, ink)
    assert trace is not None
    assert mask(trace)[33:47, 30:37].all()
    assert np.count_nonzero(mask(trace)) == 14 * 7


def test_letters_of_the_next_line_are_left_alone_where_they_reach_in() -> None:
    ink = letters((30, 33, 36, 47), (80, 51, 86, 70))
    trace = traced(textured(ink), ink)
    assert trace is not None
    assert not mask(trace)[50:, 78:].any()


def test_a_tail_that_leaves_the_region_is_followed_to_its_end() -> None:
    ink = letters((30, 33, 36, 57))
    trace = traced(textured(ink), ink)
    assert trace is not None
    assert mask(trace)[ink > 0].all()


def test_what_goes_on_past_the_hull_is_no_tail() -> None:
    ink = letters((30, 33, 36, 70))
    trace = traced(textured(ink), ink)
    assert trace is not None
    rows = np.nonzero(mask(trace).any(axis=1))[0]
    assert rows.max() <= 50 + STROKE_NEAR * 20 + 1


def test_where_there_is_no_ink_there_is_no_trace() -> None:
    assert traced(textured(letters()), letters()) is None


def test_a_plain_ground_is_told_from_a_plate_and_from_texture() -> None:
    ink = letters((30, 33, 36, 47), (50, 33, 56, 47))
    flat = np.full((*SIZE, 3), 90, np.uint8)
    flat[ink > 0] = 250
    plate = flat.copy()
    plate[32:48, 24:136] = 200
    plate[ink > 0] = 250
    (whole,) = region_patches([LINE], SIZE, MaskOptions("polygon"))
    grounds = (flat, plate, textured(ink))
    traces = [traced(rgb, ink) for rgb in grounds]
    judged = [tracer(rgb, ink).is_plain(whole, trace) for rgb, trace in zip(grounds, traces, strict=True) if trace]
    assert judged == [True, False, False]


def test_auto_traces_where_the_ground_is_worth_keeping_and_stroke_always() -> None:
    ink = letters((30, 33, 36, 47))
    flat = np.full((*SIZE, 3), 90, np.uint8)
    flat[ink > 0] = 250
    area = {
        (mode, name): region_patches([LINE], SIZE, MaskOptions(mode), tracer(rgb, ink))[0].area
        for mode in ("auto", "stroke", "polygon", "box")
        for name, rgb in (("flat", flat), ("texture", textured(ink)))
    }
    small, large = area["stroke", "texture"], area["box", "texture"]
    assert small < large / 4
    assert area["auto", "texture"] == small
    assert area["stroke", "flat"] == np.count_nonzero(ink)  # nothing around it differs from the ground
    assert area["auto", "flat"] == area["box", "flat"] == large


def test_on_a_plain_ground_the_tails_are_repainted_with_the_whole() -> None:
    ink = letters((30, 33, 36, 57))
    flat = np.full((*SIZE, 3), 90, np.uint8)
    flat[ink > 0] = 250
    (patch,) = region_patches([LINE], SIZE, MaskOptions("auto"), tracer(flat, ink))
    assert patch.kind == "box"
    assert mask(patch)[30:50, 20:140].all()
    assert mask(patch)[ink > 0].all()


def test_a_region_without_ink_is_repainted_as_a_whole_also_when_strokes_are_asked_for() -> None:
    patches = [
        region_patches([LINE], SIZE, MaskOptions(mode), tracer(textured(letters()), letters()))[0]
        for mode in ("stroke", "box")
    ]
    assert patches[0].edges == patches[1].edges


def test_a_part_of_a_letter_that_the_network_has_missed_is_found_by_its_color() -> None:
    whole_letter = letters((30, 33, 36, 47))
    found = whole_letter.copy()
    found[38:41] = 0.2
    trace = traced(textured(whole_letter), found)
    assert trace is not None
    assert mask(trace)[whole_letter > 0].all()
    assert not mask(trace)[:, 40:].any()


def test_ground_that_the_network_takes_for_ink_is_told_by_its_color() -> None:
    ink = letters((30, 33, 36, 47), (50, 33, 56, 47))
    blurred = letters((26, 30, 60, 50)) * 0.6 + ink * 0.4
    leaves = np.kron(np.random.default_rng(1).integers(48, 80, (SIZE[0] // 8, SIZE[1] // 8, 3)), np.ones((8, 8, 1)))
    rgb = np.where(ink[..., None] > 0, 250, leaves).astype(np.uint8)
    trace = traced(rgb, blurred)
    assert trace is not None
    assert mask(trace)[ink > 0].all()
    assert np.count_nonzero(mask(trace)) <= 2 * (6 * 14 + 2 * (6 + 14))


def test_a_plate_of_another_color_than_its_ground_is_not_taken_for_ink() -> None:
    ink = letters((30, 33, 36, 47), (50, 33, 56, 47), (80, 33, 86, 47))
    rgb = textured(letters())
    rgb[30:50, 20:140] = (20, 60, 200)
    rgb[ink > 0] = 250
    rgb[:29], rgb[51:] = 245, 245
    trace = traced(rgb, np.maximum(ink, letters((20, 30, 140, 50)) * 0.45))
    assert trace is not None
    assert mask(trace)[ink > 0].all()
    assert np.count_nonzero(mask(trace)) < 0.5 * 20 * 120
