"""`python -m ocr_service.mcp_server`: the DeepSeek-OCR wire of a running service as tools of an MCP client.

The client starts it, with `DSOCR_BASE_URL`, `DSOCR_API_KEY` and `DSOCR_ENABLE_MCP` in its environment. It needs no more
than `extras/mcp.lock` of what this service needs, and reads and writes files with the rights of who runs the client.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import httpx
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from cleanplate.runtime.jobs import is_id

BASE_URL = "http://localhost:8082"
TIMEOUT_S = 120.0
OFF = frozenset({"false", "0", "no", "off"})


class Tools:
    """The tools, and whom they ask. What the service refuses is told in its own words."""

    def __init__(self, base_url: str = BASE_URL, api_key: str = ""):
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._folder = Path.cwd()

    async def set_base_url(self, url: str) -> str:
        """Say where the service is, such as http://localhost:8082."""
        if not url.startswith(("http://", "https://")):
            raise ToolError("url: must begin with http:// or https://")
        self._base_url = url.rstrip("/")
        return self._base_url

    async def set_api_key(self, key: str) -> str:
        """Set the API key that is sent from now on; an empty one sends none."""
        self._api_key = key.strip()
        return "ok"

    async def health(self) -> dict[str, Any]:
        """Say how the service is: its queue, memory and limits."""
        return _object(await self._ask("GET", "/healthz", well=(200, 503)))

    async def create_task_url(
        self,
        url: str,
        is_ocr: bool = True,
        language: str = "ch",
        enable_formula: bool = True,
        enable_table: bool = True,
        page_ranges: str | None = None,
    ) -> dict[str, Any]:
        """Have a PDF or picture at a URL read. Returns its task_id; pages are chosen like 1-3,7."""
        options = {"is_ocr": is_ocr, "enable_formula": enable_formula, "enable_table": enable_table}
        body = {"url": url, **options, "language": language, "page_ranges": page_ranges}
        return _object(await self._ask("POST", "/v1/tasks", json=body))

    async def upload_file(
        self,
        path: str,
        is_ocr: bool = True,
        language: str = "ch",
        enable_formula: bool = True,
        enable_table: bool = True,
        page_ranges: str | None = None,
    ) -> dict[str, Any]:
        """Have a PDF or picture on this machine read. Returns its task_id; pages are chosen like 1-3,7."""
        options = {"is_ocr": is_ocr, "enable_formula": enable_formula, "enable_table": enable_table}
        query = {**options, "language": language} | ({"page_ranges": page_ranges} if page_ranges else {})
        try:
            data = await asyncio.to_thread(lambda: Path(path).expanduser().read_bytes())
        except OSError as error:
            raise ToolError(f"path: {error.strerror or error}") from None
        return _object(
            await self._ask("POST", "/v1/tasks/upload", files={"file": (Path(path).name, data)}, params=query)
        )

    async def task_status(self, task_id: str) -> dict[str, Any]:
        """Say where a task stands: queued, processing, succeeded, failed or canceled, and how far it is."""
        return _object(await self._ask("GET", f"/v1/tasks/{_safe(task_id)}"))

    async def get_result(self, task_id: str, kind: Literal["md", "json", "zip"] = "md") -> str | dict[str, Any]:
        """Return what a task read: its Markdown, its layout as JSON, or where a zip of both was stored."""
        path = f"/v1/tasks/{_safe(task_id)}"
        if kind == "md":
            return (await self._ask("GET", f"{path}/result.md")).text
        if kind == "json":
            return _object(await self._ask("GET", f"{path}/result.json"))
        packed = await self._ask("GET", f"{path}/download.zip")
        stored = self._folder / f"{task_id}.zip"
        await asyncio.to_thread(stored.write_bytes, packed.content)
        return {"path": str(stored)}

    async def _ask(self, method: str, path: str, *, well: tuple[int, ...] = (200,), **sent: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        try:
            async with httpx.AsyncClient(base_url=self._base_url, headers=headers, timeout=TIMEOUT_S) as client:
                answer = await client.request(method, path, **sent)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ToolError(f"{self._base_url} cannot be asked: {error or type(error).__name__}") from None
        if answer.status_code not in well:
            raise ToolError(f"{answer.status_code}: {_words(answer)}")
        return answer


def server(environment: Mapping[str, str]) -> MCPServer:
    """Return the server with all tools, set by these variables."""
    made = MCPServer("dsocr", instructions="Reads PDFs and pictures: create a task, wait for it, get its result.")
    tools = Tools(environment.get("DSOCR_BASE_URL") or BASE_URL, environment.get("DSOCR_API_KEY", ""))
    for tool in (
        tools.set_base_url,
        tools.set_api_key,
        tools.health,
        tools.create_task_url,
        tools.upload_file,
        tools.task_status,
        tools.get_result,
    ):
        made.tool()(tool)
    return made


def _safe(task_id: str) -> str:
    if not is_id(task_id):
        raise ToolError("task_id: there is no such task")
    return task_id


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise ToolError("the answer is no JSON object; is this the right address?")
    return told


def _words(answer: httpx.Response) -> str:
    try:
        return str(_object(answer).get("msg") or answer.reason_phrase)
    except ToolError:
        return answer.reason_phrase


def main() -> None:
    """Serve over standard input and output until the client hangs up."""
    if os.environ.get("DSOCR_ENABLE_MCP", "").lower() in OFF:
        raise SystemExit("MCP is switched off by DSOCR_ENABLE_MCP")
    server(os.environ).run()


if __name__ == "__main__":
    main()
