"""What the backend's tests of documents use: they render and bind in processes, so they are not unit tests."""

from __future__ import annotations

from tests.unit.backend.conftest import board, opened, services_at_hand

__all__ = ["board", "opened", "services_at_hand"]
