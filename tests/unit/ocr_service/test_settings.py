"""What the settings make of the machine."""

from __future__ import annotations

import pytest

from ocr_service import settings
from ocr_service.machine import Memory
from ocr_service.settings import OcrSettings

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("memory_gb", "lanes"),
    [(None, 16), (4, 5), (64, 16), (0.5, 1)],
    ids=["unknown", "for some", "for all", "hardly any"],
)
def test_there_is_a_lane_for_each_core_that_has_memory(
    monkeypatch: pytest.MonkeyPatch, memory_gb: float | None, lanes: int
) -> None:
    total = None if memory_gb is None else Memory(0, int(memory_gb * GB))
    monkeypatch.setattr(settings, "system_memory", lambda: total)
    monkeypatch.setattr(settings, "cores", lambda: 16)
    assert OcrSettings().lane_count() == lanes
    assert OcrSettings(lanes=9).lane_count() == 9
