"""The result in the format that was asked for. Blocking."""

from __future__ import annotations

from dataclasses import replace

from backend.options import Options
from cleanplate.runtime.images import PictureLimits, decode, encode, probe

OWN = PictureLimits(0, 0, 0)
"""For pictures made here: a PNG may be larger than the file that came in."""


def unchanged(image: bytes, options: Options, limits: PictureLimits) -> bytes:
    """Return the picture as it came, when there is nothing to erase."""
    picture = decode(image, limits)
    return encode(picture, picture.rgb, options.output_format, options.quality).data


def finished(painted: bytes, image: bytes, options: Options, limits: PictureLimits) -> bytes:
    """Return the last painting; one that was kept lossless for verifying is encoded as the client wants it.

    Args:
        painted: what the inpaint-service gave; all that the input carried beside its pixels is in it.
        image: the input, whose format `same` means.
        options: the job's.
        limits: which the input has kept.

    Raises:
        Invalid: the format cannot hold a picture this large.
    """
    own = probe(image, limits).format
    wanted = own.lower() if options.output_format == "same" else options.output_format
    if not options.verify or wanted not in ("jpeg", "webp"):
        return painted
    picture = replace(decode(painted, OWN), format=own)
    return encode(picture, picture.rgb, options.output_format, options.quality).data
