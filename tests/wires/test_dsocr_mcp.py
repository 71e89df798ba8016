"""The MCP server: a client starts it over stdio, and its tools ask a running service."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from ocr_service import mcp_server
from tests.wires import dark
from tests.wires.conftest import Ocr, ServeOcr

TOOLS = {"set_base_url", "set_api_key", "health", "create_task_url", "upload_file", "task_status", "get_result"}


@pytest.fixture(scope="module")
def ocr(serve_ocr: ServeOcr) -> Ocr:
    return serve_ocr(app_api_keys="sk_ann")


@asynccontextmanager
async def _started(folder: Path, **environment: str) -> AsyncIterator[Client]:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", mcp_server.__name__], env=environment, cwd=str(folder)
    )
    async with Client(server) as client:
        yield client


async def _told(client: Client, tool: str, **arguments: Any) -> str:
    answer = await client.call_tool(tool, arguments)
    text = "".join(getattr(part, "text", "") for part in answer.content)
    assert not answer.is_error, text
    return text


async def _refused(client: Client, tool: str, **arguments: Any) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    return "".join(getattr(part, "text", "") for part in answer.content)


async def test_a_file_is_read_by_tools_alone(ocr: Ocr, tmp_path: Path) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(dark.pdf(3))
    async with _started(tmp_path, DSOCR_BASE_URL=ocr.url, DSOCR_API_KEY="sk_ann") as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        assert json.loads(await _told(client, "health"))["status"] == "ok"
        task = json.loads(await _told(client, "upload_file", path=str(scan), page_ranges="2-3"))["task_id"]
        ocr.get(f"/v1/jobs/{task}?wait=30", headers={"Authorization": "Bearer sk_ann"})
        assert json.loads(await _told(client, "task_status", task_id=task))["status"] == "succeeded"
        assert await _told(client, "get_result", task_id=task) == "EXIT\n\nEXIT\n"
        pages = json.loads(await _told(client, "get_result", task_id=task, kind="json"))["pages"]
        assert [page["page_index"] for page in pages] == [2, 3]
        stored = Path(json.loads(await _told(client, "get_result", task_id=task, kind="zip"))["path"])
    assert stored == tmp_path / f"{task}.zip"
    with zipfile.ZipFile(stored) as archive:
        assert archive.testzip() is None


async def test_what_cannot_be_done_is_said_and_ends_nothing(ocr: Ocr, tmp_path: Path) -> None:
    async with _started(tmp_path, DSOCR_BASE_URL="http://127.0.0.1:9") as client:
        assert "http://127.0.0.1:9 cannot be asked" in await _refused(client, "health")
        assert "url: must begin" in await _refused(client, "set_base_url", url="ftp://a.test")
        assert await _told(client, "set_base_url", url=f"{ocr.url}/") == ocr.url
        assert "401: " in await _refused(client, "create_task_url", url="http://127.0.0.1/a.pdf")
        assert await _told(client, "set_api_key", key=" sk_ann ") == "ok"
        assert "422: " in await _refused(client, "create_task_url", url="http://127.0.0.1/a.pdf")
        assert "path: " in await _refused(client, "upload_file", path=str(tmp_path / "nothing.pdf"))
        assert "404: " in await _refused(client, "task_status", task_id="0" * 32)
        for task_id in ("../../etc/passwd", "..", "a/b"):
            assert "no such task" in await _refused(client, "get_result", task_id=task_id, kind="zip")
        assert json.loads(await _told(client, "health"))["status"] == "ok"


@pytest.mark.parametrize("value", ["false", "False", "0"])
def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DSOCR_ENABLE_MCP", value)
    with pytest.raises(SystemExit, match="switched off"):
        mcp_server.main()
