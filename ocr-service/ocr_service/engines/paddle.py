"""PaddleOCR's pipeline on ONNX Runtime, with the embedded weights. The reference that other engines are held to.

Importing this module imports PaddleOCR; the table in `engines` does so only when the engine is loaded.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_service.engines import Line, ReadOptions, Word, refuse, weights

os.environ.setdefault("PADDLE_PDX_CACHE_HOME", str(weights.default_cache() / "paddlex"))
os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")

from paddleocr import PaddleOCR  # noqa: E402  paddlex reads its environment, and writes to the home, at import
