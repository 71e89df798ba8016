"""The backend's wire: what is submitted, edited, run again, listed and fetched; its two services are small classes."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from backend import pace
from cleanplate.contract.problems import Invalid
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, State
from tests.fakes.services import LINES, PLACES, Inpaint, Ocr, drawn, pixels, working
from tests.unit.backend.conftest import Open, problem

ALL = drawn(*LINES)

pytestmark = pytest.mark.usefixtures("services_at_hand")


async def submitted(client: httpx.AsyncClient, image: bytes = ALL, **more: Any) -> httpx.Response:
    options = json.dumps(more.pop("options", {}))
    return await client.post("/api/v1/jobs", files={"file": ("in.png", image)}, data={"options": options}, **more)


async def done(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """Return the job once it has ended."""
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = (await client.get(f"{path(answer)}?wait=10")).json()
    return view


def path(answer: httpx.Response) -> str:
    return f"/api/v1/jobs/{answer.json()['job_id']}"


async def test_a_pattern_leaves_the_rest_of_the_text(opened: Open, board: Board) -> None:
    async with opened() as client, working(board, Ocr(), Inpaint()):
        answer = await submitted(client, options={"match": "^S", "include": [{"polygon": [(0, 0), (99, 0), (0, 99)]}]})
        view = await done(client, answer)
        regions = (await client.get(f"{path(answer)}/regions")).json()["regions"]
    assert [region["id"] for region in view["result"]["regions"]] == ["S"]
    assert {region["text"]: region["enabled"] for region in regions} == {"SALE": True, "TODAY": False, "ONLY": False}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"match": "("}, "options.match"),
        ({"keep": "x" * 501}, "options.keep"),
        ({"include": [{"x": 1}]}, "options.include.0"),
        ({"preset": "nothing"}, "options.preset"),
        ({"ttl": 1e9}, "options.ttl"),
        ({"languages": ["en", "no tag"]}, "options.languages.1"),
        ({"languages": []}, "options.languages"),
        ({"minimal_score": 1}, "options.minimal_score"),
    ],
)
async def test_a_wish_that_cannot_be_met_is_refused_at_once(opened: Open, options: dict[str, Any], field: str) -> None:
    async with opened() as client:
        assert problem(await submitted(client, options=options)) == (422, "invalid", field)


async def test_who_waits_is_told_how_long_by_the_jobs_that_were_done(
    opened: Open, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "KEPT_S", 0)
    async with opened(slots=2) as client:
        first = await submitted(client)
        assert first.json()["estimated_time"] is None
        async with working(board, Ocr(), Inpaint()):
            assert (await done(client, first))["estimated_time"] is None
        job = await board.get(first.json()["job_id"])
        assert job.finished_at is not None
        assert job.started_at is not None
        took_s = job.finished_at - job.started_at
        waits = [(await submitted(client)).json()["estimated_time"] for _ in range(3)]
    assert waits == pytest.approx([took_s, 1.5 * took_s, 2 * took_s], abs=0.01)


async def test_the_languages_are_told_to_the_engine_at_each_look(opened: Open, board: Board) -> None:
    ocr = Ocr()
    async with opened() as client, working(board, ocr, Inpaint()):
        view = await done(client, await submitted(client, options={"languages": ["en", "ja"]}))
        await done(client, await submitted(client))
    assert view["options"]["languages"] == ["en", "ja"]
    assert ocr.asked[0] == {"languages": ["en", "ja"]}
    assert ocr.asked == [{"languages": ["en", "ja"]}] * (len(ocr.asked) // 2) + [{}] * (len(ocr.asked) // 2)


async def test_a_language_that_no_engine_reads_fails_the_job_with_the_reason(opened: Open, board: Board) -> None:
    ocr = Ocr(Invalid("does not read tlh", field="languages"))
    async with opened() as client, working(board, ocr, Inpaint()):
        error = (await done(client, await submitted(client, options={"languages": ["tlh"]})))["error"]
    assert len(ocr.asked) == 1
    assert (error["code"], error["field"], error["retryable"]) == ("invalid", "languages", False)
    assert error["detail"] == "does not read tlh"


async def test_presets_are_listed_and_applied(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("[small]\nmax_height = 25\nquality = 5")
    async with opened(presets=tmp_path / "p.toml") as client:
        assert (await client.get("/api/v1/presets")).json()["presets"] == {"small": {"max_height": 25, "quality": 5}}
        view = (await submitted(client, options={"preset": "small", "quality": 7})).json()
    assert (view["options"]["max_height"], view["options"]["quality"]) == (25, 7)


async def test_edited_regions_are_repainted_in_a_new_job_without_ocr(opened: Open, board: Board) -> None:
    ocr, box = Ocr(), {"x": 200, "y": 100, "width": 40, "height": 20}
    async with opened() as client, working(board, ocr, Inpaint()):
        first = await submitted(client, options={"dry_run": True})
        await done(client, first)
        before = await client.get(f"{path(first)}/regions")
        wanted = [{"id": "S", "enabled": False}, {"id": "T"}, {"box": box}]
        kept = await client.put(f"{path(first)}/regions", json={"regions": wanted})
        after = await client.get(f"{path(first)}/regions")
        again = await client.post(f"{path(first)}/rerun", json={"options": {"verify": False}})
        view = await done(client, again)
        image = pixels((await client.get(f"{path(again)}/result")).content)
    assert after.json() == kept.json()
    assert after.headers["etag"] != before.headers["etag"]
    assert [(region["id"], region["enabled"]) for region in after.json()["regions"]] == [
        ("S", False), ("T", True), ("added-1", True),
    ]  # fmt: skip
    assert len(ocr.seen) == 1
    assert view["rerun_of"] == first.json()["job_id"]
    assert [region["id"] for region in view["result"]["regions"]] == ["T", "added-1"]
    assert {name: gone(image, name) for name in LINES} == {"SALE": False, "TODAY": True, "ONLY": False}


def gone(image: np.ndarray, name: str) -> bool:
    left, top, right, bottom = PLACES[name].pixels()
    return bool((image[top:bottom, left:right] == 255).all())


async def test_a_rerun_without_an_edit_or_a_body_repaints_what_was_chosen_before(opened: Open, board: Board) -> None:
    async with opened() as client, working(board, Ocr(), Inpaint()):
        first = await submitted(client, options={"keep": "SALE"})
        await done(client, first)
        view = await done(client, await client.post(f"{path(first)}/rerun"))
    assert [region["id"] for region in view["result"]["regions"]] == ["T", "O"]


async def test_a_rerun_is_the_same_job_under_the_same_key_until_its_regions_change(opened: Open, board: Board) -> None:
    async with opened() as client, working(board, Ocr(), Inpaint()):
        first = await submitted(client)
        await done(client, first)
        key = {"Idempotency-Key": "k"}
        again = [await client.post(f"{path(first)}/rerun", headers=key) for _ in range(2)]
        assert again[0].json()["job_id"] == again[1].json()["job_id"]
        await client.put(f"{path(first)}/regions", json={"regions": [{"id": "S"}]})
        assert problem(await client.post(f"{path(first)}/rerun", headers=key))[:2] == (409, "id_conflict")


async def test_regions_cannot_be_edited_before_they_are_found_nor_by_others(opened: Open) -> None:
    async with opened() as client:
        place = path(await submitted(client))
        for call in (client.put(f"{place}/regions", json={"regions": []}), client.post(f"{place}/rerun")):
            assert problem(await call)[:2] == (409, "not_ready")
        stranger = {"Authorization": "Bearer other"}
        answer = await client.put(f"{place}/regions", json={"regions": []}, headers=stranger)
        assert problem(answer)[:2] == (404, "not_found")


async def test_a_rerun_refuses_options_that_would_choose_regions(opened: Open, board: Board) -> None:
    async with opened() as client, working(board, Ocr(), Inpaint()):
        first = await submitted(client)
        await done(client, first)
        answer = await client.post(f"{path(first)}/rerun", json={"options": {"min_score": 0.5}})
    assert problem(answer) == (422, "invalid", "options.min_score")


async def test_a_picture_is_fetched_by_its_url_through_redirects(opened: Open, board: Board) -> None:
    async with opened(allow_private_urls=True) as client, site() as url:
        answer = await client.post("/api/v1/jobs", json={"url": f"{url}/moved", "options": {"quality": 3}})
        view, kept = answer.json(), await client.get(f"{path(answer)}/input")
    assert (view["name"], view["options"]["quality"]) == ("moved", 3)
    assert kept.content == ALL


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("/inside", (422, "address_refused", "url")),
        ("/page", (400, "malformed", "url")),
        ("/paper", (400, "malformed", "url")),
        ("/long", (413, "too_large", "url")),
        ("/nothing", (422, "fetch_failed", "url")),
    ],
)
async def test_a_url_that_gives_no_picture_is_refused(opened: Open, place: str, told: tuple[int, str, str]) -> None:
    async with opened(allow_private_urls=True, max_file_size=20_000) as client, site() as url:
        assert problem(await client.post("/api/v1/jobs", json={"url": url + place})) == told


@pytest.mark.parametrize("more", [{"url": "file:///etc/passwd"}, {"url": 7}, {"image": base64.b64encode(ALL).decode()}])
async def test_what_is_not_one_url_is_refused(opened: Open, more: dict[str, Any]) -> None:
    async with opened() as client:
        answer = await client.post("/api/v1/jobs", json={"url": "https://example.com/sign.png", **more})
    assert problem(answer) == (422, "invalid", "url")


async def test_a_url_leads_nowhere_inside_unless_that_is_allowed(opened: Open) -> None:
    async with opened() as client, site() as url:
        answer = await client.post("/api/v1/jobs", json={"url": f"{url}/sign.png"})
    assert problem(answer) == (422, "address_refused", "url")


@asynccontextmanager
async def site() -> AsyncIterator[str]:
    """A web site with a picture, pages, something long, and redirects."""

    async def answer(request: web.Request) -> web.Response:
        match request.path:
            case "/moved":
                raise web.HTTPFound("/sign.png")
            case "/inside":
                raise web.HTTPFound("http://169.254.169.254/latest")
            case "/sign.png":
                return web.Response(body=ALL, content_type="text/plain")
            case "/page":
                return web.Response(text="<html>" * 10, content_type="image/png")
            case "/paper":
                return web.Response(body=b"%PDF-1.7\n" + bytes(100), content_type="image/png")
            case "/long":
                return web.Response(body=bytes(30_000))
        raise web.HTTPNotFound

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_jobs_are_listed_page_by_page_and_by_state(opened: Open, board: Board) -> None:
    async with opened() as client:
        made = [(await submitted(client, drawn("SALE"))).json()["job_id"] for _ in range(5)]
        await client.post(f"/api/v1/jobs/{made[0]}/cancel")
        pages, after = [], ""
        while True:
            page = (await client.get(f"/api/v1/jobs?limit=2&after={after}")).json()
            pages.append([view["job_id"] for view in page["jobs"]])
            if (after := page["next"]) is None:
                break
        cancelled = (await client.get("/api/v1/jobs?status=cancelled")).json()["jobs"]
        foreign = (await client.get("/api/v1/jobs", headers={"Authorization": "Bearer other"})).json()["jobs"]
    assert pages == [made[:2:-1], made[2:0:-1], made[:1]]
    assert [view["job_id"] for view in cancelled] == made[:1]
    assert foreign == []


async def test_a_result_comes_whole_in_parts_or_not_at_all(opened: Open, board: Board) -> None:
    async with opened() as client, working(board, Ocr(), Inpaint()):
        answer = await submitted(client)
        await done(client, answer)

        async def fetched(**headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.get(f"{path(answer)}/result", headers=named)

        whole = await fetched()
        tag, size = whole.headers["etag"], len(whole.content)
        await board.record(answer.json()["job_id"], Change("callback_delivered"))
        parts = [await fetched(range="bytes=0-99"), await fetched(range="bytes=100-", if_range=tag)]
        changed = await fetched(range="bytes=100-", if_range='"another"')
        known = [await fetched(if_none_match=f'"x", {tag}'), await fetched(if_none_match="*")]
        beyond = await fetched(range=f"bytes={size}-")
    assert Image.open(BytesIO(whole.content)).size == (400, 300)
    assert [part.status_code for part in parts] == [206, 206]
    assert parts[0].headers["content-range"] == f"bytes 0-99/{size}"
    assert b"".join(part.content for part in parts) == whole.content
    assert (changed.status_code, changed.content) == (200, whole.content)
    assert [(each.status_code, each.content, each.headers["etag"]) for each in known] == [(304, b"", tag)] * 2
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")


async def test_a_key_with_its_quota_under_way_is_refused_and_another_is_not(opened: Open, board: Board) -> None:
    async with opened(key_quota=2) as client:
        key = {"Idempotency-Key": "k"}
        made = [await submitted(client, headers=key), await submitted(client)]
        refused = await submitted(client)
        assert problem(refused) == (429, "queue_full", None)
        assert (refused.json()["limit"], refused.headers["retry-after"]) == (2, "5")
        assert (await submitted(client, headers=key)).json()["job_id"] == made[0].json()["job_id"]
        assert (await submitted(client, headers={"Authorization": "Bearer other"})).status_code == 202
        await client.post(f"{path(made[1])}/cancel")
        assert (await submitted(client)).status_code == 202


async def test_a_retry_needs_a_place_in_the_quota_too(opened: Open, board: Board) -> None:
    async with opened(key_quota=1) as client:
        failed = path(await submitted(client))
        claimed = await board.call(board.store.claim, [board.kind], "w", 30.0, 3)
        assert claimed is not None
        await board.record(claimed.id, Change("failed", state=State.FAILED), claimed.attempt)
        other = path(await submitted(client))
        assert problem(await client.post(f"{failed}/retry"))[:2] == (429, "queue_full")
        await client.post(f"{other}/cancel")
        assert (await client.post(f"{failed}/retry")).json()["status"] == "queued"


async def test_a_time_to_live_is_promised_with_the_job(opened: Open, board: Board) -> None:
    async with opened() as client:
        view = (await submitted(client, options={"ttl": 60})).json()
        await client.post(f"/api/v1/jobs/{view['job_id']}/cancel")
    promised = await board.call(board.store.claim, ["expiry"], "w", 30.0, 3)
    assert promised is not None
    assert promised.params == {"job_id": view["job_id"]}


async def test_a_key_may_be_used_again_when_its_job_is_gone(opened: Open, board: Board) -> None:
    async with opened() as client:
        wishes = {"callback_url": "https://example.com/done", "ttl": 60}
        for _ in range(2):
            answer = await submitted(client, options=wishes, headers={"Idempotency-Key": "k"})
            assert answer.status_code == 202, answer.text
            assert (await client.delete(path(answer))).status_code == 204
