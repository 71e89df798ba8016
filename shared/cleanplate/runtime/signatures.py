"""Signed callbacks: `t=<unix>,v1=<hex hmac-sha256 of "t.body">`, as its receiver checks it too. Pure."""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Cleanplate-Signature"
TOLERANCE_S = 300


def sign(secret: str, body: bytes, at: int) -> str:
    """Return the header's value for a body sent at `at`, in Unix seconds."""
    return f"t={at},v1={_digest(secret, body, at)}"


def verify(secret: str, header: str, body: bytes, now: float, tolerance_s: float = TOLERANCE_S) -> bool:
    """Say whether the header signs this body and is fresh; several `v1` may stand in it while a secret changes.

    Args:
        secret: shared with the sender.
        header: the value of `X-Cleanplate-Signature`; anything unreadable is false.
        body: the bytes as received.
        now: Unix seconds.
        tolerance_s: how old, or how far ahead, the signature may be.
    """
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 15:
        return False
    at = int(times[0])
    expected = _digest(secret, body, at).encode()
    genuine = [hmac.compare_digest(value.encode(), expected) for name, _, value in parts if name == "v1"]
    return any(genuine) and abs(now - at) <= tolerance_s


def _digest(secret: str, body: bytes, at: int) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
