"""Where is looked again."""

from __future__ import annotations

import random

from backend.windows import CALL_PX, LARGEST_PX, windows
from cleanplate.contract.geometry import Box


def holds(window: Box, box: Box) -> bool:
    return window.union(box) == window


def test_a_line_has_its_height_as_context_and_the_picture_ends_it() -> None:
    assert windows([Box(100, 100, 200, 40)], 1000, 800) == [Box(60, 60, 280, 120)]
    assert windows([Box(0, 0, 200, 4)], 1000, 800) == [Box(0, 0, 216, 20)]


def test_near_lines_share_a_window_and_far_ones_do_not() -> None:
    near, far = [Box(100, y, 300, 30) for y in (100, 150, 300)], Box(3000, 2000, 300, 30)
    found = windows([near[0], far, *near[1:]], 4000, 3000)
    assert len(found) == 2
    assert all(holds(found[-1], box) for box in near)


def test_every_line_is_in_a_window_and_all_together_are_not_more_than_the_picture_and_a_call_each() -> None:
    rng = random.Random(3)
    for _ in range(50):
        width, height = rng.randint(50, 6000), rng.randint(50, 6000)
        boxes = [Box(rng.uniform(0, width - 40), rng.uniform(0, height - 20), 40, 20) for _ in range(40)]
        found = windows(boxes, width, height)
        assert all(any(holds(window, box) for window in found) for box in boxes)
        assert all(holds(Box(0, 0, width, height), window) for window in found)
        parts = [windows([box], width, height)[0].area for box in boxes]
        assert sum(window.area for window in found) <= sum(parts) + CALL_PX * (len(boxes) - len(found))


def test_no_merged_window_is_larger_than_a_service_takes() -> None:
    boxes = [Box(x * 60.0, y * 60.0, 50, 20) for x in range(100) for y in range(100)]
    assert max(window.area for window in windows(boxes, 6000, 6000)) <= LARGEST_PX
