"""A painting that was kept lossless becomes what the client asked for, as if it had been encoded so at once."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from backend.options import Options
from backend.outputs import OWN, finished
from cleanplate.runtime.images import Picture, decode, encode

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def sent(kind: str, mode: str) -> bytes:
    """Return a picture with all that a file can carry beside its pixels."""
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "the artist"
    samples = np.random.default_rng(1).integers(0, 256, (40, 60, len(mode)), np.uint8)
    image = Image.fromarray(samples[..., 0] if mode == "L" else samples)
    file, profile = BytesIO(), None if mode == "L" else SRGB
    image.save(file, kind, exif=exif, icc_profile=profile, dpi=(300, 300))
    return file.getvalue()


def repainted(picture: Picture) -> np.ndarray:
    rgb = picture.rgb.copy()
    rgb[10:20, 10:30] = 99
    return rgb


@pytest.mark.parametrize("wish", ["same", "jpeg", "webp"])
@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("WEBP", "RGBA"), ("PNG", "RGBA")])
@pytest.mark.parametrize("quality", [None, 70])
def test_the_way_through_a_png_loses_nothing(kind: str, mode: str, wish: Any, quality: int | None) -> None:
    image, options = sent(kind, mode), Options(output_format=wish, quality=quality)
    picture = decode(image, OWN)
    rgb = repainted(picture)
    painted = encode(picture, rgb, "png").data
    assert finished(painted, image, options, OWN) == encode(picture, rgb, wish, quality).data


@pytest.mark.parametrize(
    "options", [Options(), Options(output_format="same"), Options(output_format="jpeg", verify=False)]
)
def test_what_is_in_its_format_already_is_not_touched(options: Options) -> None:
    assert finished(b"painted", sent("PNG", "RGB"), options, OWN) == b"painted"
