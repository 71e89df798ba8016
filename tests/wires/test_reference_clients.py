"""Clients written for the original service run unchanged, but for the address.

The code is taken from that service's own page when the tests run. Beside each flow stands a test of our own that does
the same and needs no page.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import IO, Any

import aiohttp
import pytest
import requests
from websockets.asyncio.client import connect

from tests.wires import pictures
from tests.wires.conftest import GatedInpainter, Inpaint, Serve
from tests.wires.serving import PATIENCE_S

PAGES = "../shared/reference"
PAGE = "004_*.txt"
ADDRESSES = re.compile(r"(?:localhost|iopaint-service):8081")
REGION_CALL, STATISTICS, ASYNC_CALL, ASYNC_CLIENT, RELAY, OWN_PARAMETERS, WHOLE_CLIENT = range(7)
SIZE = (420, 260)
REGIONS = [{"x": 100, "y": 50, "width": 200, "height": 30}, {"x": 150, "y": 200, "width": 150, "height": 25}]


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    """The page's Python code, block by block."""
    folder = Path(__file__).resolve().parents[2] / PAGES
    pages = sorted(folder.glob(PAGE))
    if not pages:
        if os.environ.get("CI"):
            pytest.fail(f"{folder} is missing, and here it must not be")
        pytest.skip(f"{folder} is not there")
    found = re.findall(r"^```python\n(.*?)^```", pages[0].read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(found) == WHOLE_CLIENT + 1
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the pictures that the clients read; no proxy stands between."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("image.jpg", "input.jpg"):
        (tmp_path / name).write_bytes(pictures.encoded(pictures.plate(*SIZE), "JPEG"))
    return tmp_path


@pytest.fixture
def image_b64(folder: Path) -> str:
    return pictures.text((folder / "image.jpg").read_bytes())


class Browser:
    """The other end of a relay: it keeps what it is sent."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.ended = asyncio.Event()

    async def send_text(self, text: str) -> None:
        self.heard.append(json.loads(text))
        if self.heard[-1]["type"] in ("task_completed", "error"):
            self.ended.set()


class _AsyncFile:
    """What stands in for the one call of aiofiles that is used."""

    def __init__(self, path: str, mode: str):
        self._open: Callable[[], IO[Any]] = partial(open, path, mode)

    async def __aenter__(self) -> _AsyncFile:
        self._file = await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    async def read(self) -> bytes:
        data: bytes = await asyncio.to_thread(self._file.read)
        return data


@pytest.fixture
def aiofiles() -> Iterator[ModuleType]:
    module = ModuleType("aiofiles")
    module.__dict__["open"] = _AsyncFile
    sys.modules["aiofiles"] = module
    yield module
    del sys.modules["aiofiles"]


def _code(block: str, live: Inpaint) -> CodeType:
    code = compile(ADDRESSES.sub(live.address, block), "<page>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(code, CodeType)
    return code


def _run(block: str, live: Inpaint, **names: Any) -> dict[str, Any]:
    """Run a block as it stands and return what it leaves behind."""
    space: dict[str, Any] = {"__name__": "__main__", **names}
    exec(_code(block, live), space)
    return space


def _is_clean(data: bytes) -> bool:
    return pictures.decoded(data).shape == (SIZE[1], SIZE[0], 3)


def test_the_page_s_region_call(blocks: list[str], inpaint: Inpaint, folder: Path) -> None:
    left = _run(blocks[REGION_CALL], inpaint)
    assert left["response"].status_code == 200
    assert _is_clean((folder / "result.png").read_bytes())


def test_a_region_call(inpaint: Inpaint, image_b64: str) -> None:
    answer = requests.post(
        f"{inpaint.url}/api/v1/inpaint-regions", json={"image": image_b64, "regions": REGIONS}, timeout=PATIENCE_S
    )
    assert answer.status_code == 200
    assert _is_clean(answer.content)


def test_the_page_s_statistics_call(
    blocks: list[str], inpaint: Inpaint, image_b64: str, capsys: pytest.CaptureFixture[str]
) -> None:
    left = _run(blocks[STATISTICS], inpaint, requests=requests, image_b64=image_b64, regions=REGIONS)
    assert left["stats"]["processing_stats"]["regions_processed"] == 2
    first, second = capsys.readouterr().out.splitlines()
    assert "2" in first
    assert re.search(r"\d\.\d\d", second)


def test_a_statistics_call(inpaint: Inpaint, image_b64: str) -> None:
    body = {"image": image_b64, "regions": REGIONS}
    stats = requests.post(f"{inpaint.url}/api/v1/inpaint-regions-json", json=body, timeout=PATIENCE_S).json()
    assert stats["processing_stats"]["regions_processed"] == 2
    assert f"{stats['processing_stats']['processing_time']:.2f}"


def test_the_page_s_asynchronous_call(blocks: list[str], inpaint: Inpaint, image_b64: str) -> None:
    left = _run(blocks[ASYNC_CALL], inpaint, image_b64=image_b64, regions=REGIONS)
    assert left["async_result"]["task_id"] == left["task_id"]
    assert left["async_result"]["websocket_url"] == f"ws://{inpaint.address}/api/v1/ws/progress/{left['task_id']}"
    assert left["status"]["status"] in ("pending", "preparing", "processing", "completed")
    assert inpaint.ended(left["task_id"])["status"] == "completed"


async def test_an_asynchronous_call_followed_over_its_own_url(inpaint: Inpaint, image_b64: str) -> None:
    task = str(uuid.uuid4())
    body = {"image": image_b64, "regions": REGIONS, "task_id": task, "enable_progress": True}
    call = partial(requests.post, f"{inpaint.url}/api/v1/inpaint-regions-async", json=body, timeout=PATIENCE_S)
    started = (await asyncio.to_thread(call)).json()
    async with asyncio.timeout(PATIENCE_S), connect(started["websocket_url"], proxy=None) as connection:
        async for message in connection:
            if json.loads(message)["type"] == "task_completed":
                break
    assert (await asyncio.to_thread(inpaint.ended, task))["status"] == "completed"


async def test_the_page_s_asynchronous_client(
    blocks: list[str], inpaint: Inpaint, folder: Path, aiofiles: ModuleType
) -> None:
    left = _run(blocks[ASYNC_CLIENT], inpaint, List=list, aiofiles=aiofiles)
    seen = [{"bounding_box": region, "text": "EXIT", "confidence": 0.9} for region in REGIONS]
    task = uuid.uuid4().hex
    started = await left["IOPaintClient"]().inpaint_regions_async(str(folder / "image.jpg"), seen, task)
    assert (started["task_id"], started["status"]) == (task, "pending")
    assert (await asyncio.to_thread(inpaint.ended, task))["total_regions"] == 2


async def test_an_asynchronous_client(inpaint: Inpaint, image_b64: str) -> None:
    body = {"image": image_b64, "regions": REGIONS, "task_id": "of-our-own", "enable_progress": True}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{inpaint.url}/api/v1/inpaint-regions-async", json=body) as answer,
    ):
        assert (await answer.json())["status"] == "pending"
    assert (await asyncio.to_thread(inpaint.ended, "of-our-own"))["status"] == "completed"


async def _relayed(live: Inpaint, gated: GatedInpainter, relay: Any) -> list[dict[str, Any]]:
    """Let a relay follow a task from before it paints, and return what the browser heard."""
    task, browser = uuid.uuid4().hex, Browser()
    image = pictures.text(pictures.encoded(pictures.noise(*SIZE)))
    body = {"image": image, "regions": REGIONS, "task_id": task}
    await asyncio.to_thread(live.post, "/api/v1/inpaint-regions-async", body)
    await asyncio.to_thread(gated.begun)
    following = asyncio.create_task(relay(browser, task))
    gated.let(10)
    async with asyncio.timeout(PATIENCE_S):
        await browser.ended.wait()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert {message["task_id"] for message in browser.heard} == {task}
    return browser.heard


async def test_the_page_s_relay(blocks: list[str], serve: Serve, gated: GatedInpainter) -> None:
    live = serve(gated, model="lama")
    relay = _run(blocks[RELAY], live)["relay_iopaint_progress"]
    assert inspect.iscoroutinefunction(relay)
    heard = await _relayed(live, gated, relay)
    assert [heard[0]["type"], heard[-1]["type"]] == ["connection_established", "task_completed"]


async def test_the_page_s_relay_tells_of_an_unknown_task_and_goes_on(blocks: list[str], inpaint: Inpaint) -> None:
    browser = Browser()
    following = asyncio.create_task(_run(blocks[RELAY], inpaint)["relay_iopaint_progress"](browser, "nobody"))
    async with asyncio.timeout(PATIENCE_S):
        await browser.ended.wait()
    assert [message["type"] for message in browser.heard] == ["connection_established", "error"]
    assert not following.done()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


async def test_a_relay(serve: Serve, gated: GatedInpainter) -> None:
    live = serve(gated, model="lama")

    async def relay(browser: Browser, task: str) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{live.url}/api/v1/ws/progress/{task}") as socket,
        ):
            async for message in socket:
                await browser.send_text(message.data)

    heard = await _relayed(live, gated, relay)
    shares = [message["progress"] for message in heard if message["type"] == "progress_update"]
    assert shares == sorted(shares)
    assert heard[-1]["type"] == "task_completed"


def test_the_page_s_call_with_parameters_of_its_own(blocks: list[str], inpaint: Inpaint, image_b64: str) -> None:
    task = str(uuid.uuid4())
    names = {"requests": requests, "image_b64": image_b64, "regions": REGIONS, "task_id": task}
    answer = _run(blocks[OWN_PARAMETERS], inpaint, **names)["response"]
    assert (answer.status_code, answer.json()["task_id"]) == (200, task)
    assert inpaint.ended(task)["status"] == "completed"


@pytest.mark.parametrize("strategy", ["Original", "Resize", "Crop", "Auto", "original", "CROP"])
def test_a_call_with_every_strategy(inpaint: Inpaint, image_b64: str, strategy: str) -> None:
    chosen = {"hd_strategy": strategy, "hd_strategy_crop_trigger_size": 128, "hd_strategy_crop_margin": 16}
    body = {"image": image_b64, "regions": REGIONS, "sd_steps": 20, "sd_seed": 42, **chosen}
    assert _is_clean(inpaint.post("/api/v1/inpaint-regions", body).content)


async def test_the_page_s_whole_client(blocks: list[str], inpaint: Inpaint) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    code = _code(blocks[WHOLE_CLIENT], inpaint)
    assert code.co_flags & inspect.CO_COROUTINE
    await eval(code, space)
    assert _is_clean(space["result"])


async def test_a_whole_client(inpaint: Inpaint, image_b64: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{inpaint.url}/api/v1/inpaint-regions", json={"image": image_b64, "regions": REGIONS}) as answer,
    ):
        assert answer.status == 200
        assert _is_clean(await answer.read())
