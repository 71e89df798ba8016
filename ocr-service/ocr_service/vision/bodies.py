"""A page and a prompt → the body of a request for a chat completion. Blocking: encodes a picture."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ocr_service.vision.endpoints import Endpoint, ImageFormat

QUALITY = 90
SMALLEST_SIDE = 32  # some endpoints refuse less


def request_body(endpoint: Endpoint, prompt: str, rgb: NDArray[np.uint8]) -> bytes:
    """Return the JSON that asks the model about a picture, (H, W, 3) uint8 RGB."""
    content = [
        {"type": "image_url", "image_url": {"url": data_uri(rgb, endpoint.image_format, endpoint.max_side)}},
        {"type": "text", "text": prompt},
    ]
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [{"role": "user", "content": content}],
        "stream": endpoint.stream,
        "temperature": 0,
        "max_tokens": endpoint.max_tokens,
        **endpoint.extra,
    }
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def data_uri(rgb: NDArray[np.uint8], format: ImageFormat, max_side: int) -> str:
    """Return the picture as a data URI, no longer than `max_side` pixels on either side."""
    missing = [(0, max(0, SMALLEST_SIDE - side)) for side in rgb.shape[:2]]
    image = Image.fromarray(np.pad(rgb, [*missing, (0, 0)], mode="edge"))
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, format.upper(), quality=QUALITY)
    return f"data:image/{format};base64,{base64.b64encode(file.getvalue()).decode()}"
