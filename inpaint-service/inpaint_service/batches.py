"""Which windows go to the model together: those of one shape, as many as it takes in a call. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from inpaint_service.windows import Window


def batched(windows: Sequence[Window], most: int) -> list[tuple[Window, ...]]:
    """Put windows of equal shape together.

    Args:
        windows: in the order of work.
        most: no batch holds more.

    Returns:
        Batches in the order of their first windows. A tile that shares a seam is by itself: it has to see what the
        tile before it has painted.
    """
    batches: list[list[Window]] = []
    open_ones: dict[tuple[int, int], list[Window]] = {}
    for window in windows:
        batch = open_ones.get(window.shape)
        if batch is None or len(batch) >= most or any(window.shared):
            batches.append([])
            batch = batches[-1]
            if not any(window.shared):
                open_ones[window.shape] = batch
        batch.append(window)
    return [tuple(batch) for batch in batches]
