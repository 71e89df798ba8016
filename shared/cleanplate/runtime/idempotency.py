"""Submitting twice is submitting once: the id that an idempotency key gives, and the digest of what is submitted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cleanplate.contract.problems import Invalid
from cleanplate.runtime.jobs import new_id

KEY_LIMIT = 200


def job_id(key: str | None, *scope: str) -> str:
    """Return the id for a key, the same each time within its scope; a random one without a key.

    Raises:
        Invalid: the key is too long.
    """
    if key is None:
        return new_id()
    if len(key) > KEY_LIMIT:
        raise Invalid(f"is longer than {KEY_LIMIT} characters", field="Idempotency-Key", limit=KEY_LIMIT)
    return hashlib.sha256("\n".join((*scope, key)).encode()).hexdigest()[:32]


def digest(options: Mapping[str, Any], files: Iterable[bytes]) -> str:
    """Return what is the same for the same options and files."""
    hashed = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    for data in files:
        hashed.update(hashlib.sha256(data).digest())
    return hashed.hexdigest()
