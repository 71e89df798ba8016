"""Asking a service from outside, without a proxy: does it answer, what is it, is it ready?"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

READY = "ready"
STARTING = "starting"
TIMEOUT_S = 5.0


def readiness(url: str) -> str:
    """Return READY, STARTING when nothing answers yet, or what the service says about its parts."""
    answer = get_json(f"{url}/readyz")
    if answer is None:
        return STARTING
    status, body = answer
    if status == 200:
        return READY
    checks = body.get("checks", {})
    return "; ".join(f"{name}: {text}" for name, text in checks.items()) if isinstance(checks, dict) else STARTING


def is_service(url: str, name: str) -> bool:
    """Say whether the cleanplate service of this name answers at the URL and is ready."""
    if readiness(url) != READY:
        return False
    _, body = get_json(f"{url}/openapi.json") or (0, {})
    info = body.get("info")
    return isinstance(info, dict) and info.get("title") == f"cleanplate {name}"


def get_json(url: str) -> tuple[int, dict[str, Any]] | None:
    """Return the status and the body, {} when that is no JSON object; None when nothing answers. Blocking."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S) as response:
            return response.status, _object(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _object(error.read())
    except (OSError, HTTPException, ValueError):
        return None


def _object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
