"""A small picture of what was found: the picture or page with its regions drawn on it. Blocking."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

from PIL import Image, ImageDraw

from backend.choices import Choices
from backend.outputs import OWN
from cleanplate.runtime.images import PictureLimits, decode

PreviewFormat = Literal["png", "jpeg"]
LONGEST_PX = 1600
_ERASED, _LEFT = (226, 29, 72), (110, 118, 129)
_LINE_SHARE = 1 / 600  # of the longer side


def preview(image: bytes, choices: Choices, limits: PictureLimits | None, format: PreviewFormat) -> bytes:
    """Return the picture, its longer side at most `LONGEST_PX`: what is erased outlined in red, the rest in gray."""
    picture = Image.fromarray(decode(image, limits or OWN).over())
    picture.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.BILINEAR, reducing_gap=2.0)
    across, down = picture.width / choices.width, picture.height / choices.height
    drawing, width = ImageDraw.Draw(picture), max(2, round(max(picture.size) * _LINE_SHARE))
    for region in sorted(choices.regions, key=lambda region: region.enabled):
        corners = [(x * across, y * down) for x, y in region.polygon]
        drawing.line([*corners, corners[0]], _ERASED if region.enabled else _LEFT, width, joint="curve")
    out = BytesIO()
    picture.save(out, format.upper(), **({"quality": 85} if format == "jpeg" else {}))
    return out.getvalue()
