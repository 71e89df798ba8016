"""Importing PaddleOCR, whose libraries are small modules here that behave as badly."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr_service.engines.paddle import import_paddleocr

TAKES_OVER = """
import ctypes, logging, signal
ctypes.CDLL(None).signal(signal.SIGUSR1, ctypes.c_void_p(1))  # 1: ignored
logging.root.setLevel(logging.CRITICAL)
"""


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, text in (("paddle", TAKES_OVER), ("paddleocr", "")):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("ORT_DISABLE_TELEMETRY", "PADDLE_PDX_CACHE_HOME", "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"):
        monkeypatch.setenv(name, "")
    yield
    for name in ("paddle", "paddleocr"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("libraries")
def test_what_a_library_takes_over_is_the_services_again(tmp_path: Path) -> None:
    heard: list[int] = []
    level = logging.root.level
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        import_paddleocr(tmp_path)
        assert "paddle" in sys.modules
        os.kill(os.getpid(), signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
        assert logging.root.level == level
    finally:
        signal.signal(signal.SIGUSR1, before)
