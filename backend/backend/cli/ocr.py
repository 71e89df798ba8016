"""`cleanplate ocr`: the text of pictures, read by an ocr-service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from backend.cli.endpoints import Endpoint, endpoint
from backend.cli.inputs import PICTURES, find
from backend.cli.launches import OCR
from backend.cli.terminal import Terminal, shown
from backend.clients import OcrClient
from cleanplate.contract.messages import Detection
from cleanplate.contract.problems import Problem

CALL_TIMEOUT_S = 300.0
PATIENCE_S = 60.0


def ocr(
    inputs: Sequence[str], params: dict[str, Any], service: str | None, key: str, root: Path, terminal: Terminal
) -> bool:
    """Give the text of each picture; return whether all could be read. Blocking.

    Args:
        inputs: which pictures, as on the command line.
        params: how they are read: `engine`, `languages`.
        service: the ocr-service's URL; see `endpoint`.
        key: its API key.
        root: the folder with the services' folders.
        terminal: is told the text.

    Raises:
        UsageError: there are no pictures.
        ServicesFailed: there is no ocr-service.
    """
    pictures = [found.path for found in find(inputs, taken=PICTURES)]
    with endpoint(OCR, service, root, terminal) as place:
        return asyncio.run(_read_all(pictures, params, place, key, terminal))


async def _read_all(
    pictures: Sequence[Path], params: dict[str, Any], endpoint: Endpoint, key: str, terminal: Terminal
) -> bool:
    well = True
    async with aiohttp.ClientSession() as session:
        client = OcrClient("ocr-service", endpoint.url, key, session, PATIENCE_S, CALL_TIMEOUT_S)

        async def checked(service: str, reason: str) -> None:
            endpoint.check()

        for picture in pictures:
            try:
                image = await asyncio.to_thread(picture.read_bytes)
                found = await client.patiently(lambda image=image: client.detect(image, params), checked)  # type: ignore[misc]
            except (Problem, OSError, ValueError) as error:
                well = False
                _tell_failure(picture, error, terminal)
            else:
                _tell(picture, found, len(pictures) > 1, terminal)
    return well


def _tell(picture: Path, found: Detection, titled: bool, terminal: Terminal) -> None:
    title = [f"== {shown(picture)}"] if titled else []
    lines = "\n".join([*title, *(region.text for region in found.regions)])
    terminal.result(lines, {"input": str(picture), "status": "done", **found.model_dump(mode="json")})


def _tell_failure(picture: Path, error: Exception, terminal: Terminal) -> None:
    if isinstance(error, Problem):
        code, reason = error.code, error.detail
    else:
        code, reason = "", (error.strerror if isinstance(error, OSError) else None) or str(error)
    if not terminal.as_json:
        terminal.fault(f"{shown(picture)}: {reason}")
        return
    told = {"input": str(picture), "status": "failed", "error": {"code": code or None, "detail": reason}}
    terminal.result("", told)
