"""Base64 and data URIs, as JSON bodies carry pictures; what the bytes are is left to `formats`."""

from __future__ import annotations

import base64
import binascii
import re

from cleanplate.contract.problems import Malformed, TooLarge
from cleanplate.runtime.images.pictures import PictureLimits

_DATA_URI = re.compile(r"data:[^,;]*(?:;[^,;]*)*,", re.IGNORECASE)
_WHITESPACE = b" \t\r\n\f\v"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def from_base64(text: str, limits: PictureLimits, *, field: str = "image") -> bytes:
    """Decode a picture sent as text.

    Args:
        text: base64, plain or URL-safe, with or without padding and line breaks, or a base64 data URI.
        limits: of these `max_bytes` is checked, before decoding.
        field: the request's field that the problem names.

    Raises:
        Malformed: it is empty or not base64.
        TooLarge: the decoded bytes would be more than `max_bytes`.
    """
    digits = _digits(text, field).encode("utf-8", "replace").translate(_URL_SAFE, _WHITESPACE).rstrip(b"=")
    if not digits:
        raise Malformed("is empty; base64 or a data URI is needed", field=field)
    size = len(digits) * 3 // 4
    if limits.max_bytes and size > limits.max_bytes:
        raise TooLarge(
            f"{field} has {size} bytes; the limit is {limits.max_bytes} (max_bytes)",
            field=field,
            limit=limits.max_bytes,
            limit_name="max_bytes",
        )
    try:
        return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except binascii.Error as error:
        raise Malformed("is not valid base64", field=field) from error


def _digits(text: str, field: str) -> str:
    """Return what follows a data URI's comma, or all of the text."""
    head = text[:200].lstrip()
    if head[:5].lower() != "data:":
        return text
    found = _DATA_URI.match(head)
    if found is None or not found.group().lower().endswith(";base64,"):
        raise Malformed("is a data URI without `;base64,`", field=field)
    return text.lstrip()[found.end() :]
