"""Engines asked over the network, behind a real service and in front of a real server that does as it is told."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from tests.fakes import vision
from tests.fakes.pages import BarReader, document
from tests.fakes.vision import KEY, Vision, answers, raw, says
from tests.wires.conftest import Ocr, ServeOcr
from tests.wires.dark import SIGN
from tests.wires.pictures import HEIGHT, WIDTH, encoded
from tests.wires.test_documents import ended, result, submit

LINES = json.dumps([{"text": "EXIT", "box": [0, 0, 500, 500]}, {"text": "NOW", "box": [500, 500, 1000, 1000]}])
GROUNDED = (
    "<|ref|>title<|/ref|><|det|>[[99, 99, 900, 199]]<|/det|>\n# Title\n\n"
    "<|ref|>image<|/ref|><|det|>[[99, 299, 499, 699]]<|/det|>\n"
    "<|ref|>text<|/ref|><|det|>[[99, 799, 900, 899]]<|/det|>\nWords."
)


@pytest.fixture(scope="module")
def server() -> Iterator[Vision]:
    server = Vision()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def live(serve_ocr: ServeOcr, server: Vision) -> Ocr:
    return serve_ocr(
        openai_url=server.url, openai_key=KEY, openai_model="eye", openai_concurrency=3, openai_retries=0,
        openai_max_side=500, openai_image_format="png", deepseek_url=server.url,
    )  # fmt: skip


def detect(live: Ocr, image: bytes = SIGN, **params: Any) -> httpx.Response:
    form = {"params": json.dumps({"engine": "openai", **params})}
    return live.post("/v1/detect", files={"image": ("sign.png", image)}, data=form)


def pages(live: Ocr, data: bytes, **params: Any) -> list[dict[str, Any]]:
    view = ended(live, submit(live, data, **{"engine": "openai", **params}))
    assert view["status"] == "succeeded", view
    found: list[dict[str, Any]] = result(live, view).json()["pages"]
    return found


def test_lines_come_in_pixels_of_the_picture(live: Ocr, server: Vision) -> None:
    server.does(says(f"```json\n{LINES}\n```"))
    found = detect(live).json()
    assert (found["engine"], found["model"], found["width"], found["height"]) == ("openai", "eye", WIDTH, HEIGHT)
    assert [region["text"] for region in found["regions"]] == ["EXIT", "NOW"]
    assert found["regions"][1]["box"] == {"x": WIDTH / 2, "y": HEIGHT / 2, "width": WIDTH / 2, "height": HEIGHT / 2}


def test_a_picture_of_one_pixel_is_asked_about_too(live: Ocr, server: Vision) -> None:
    server.does(says("[]"))
    assert detect(live, encoded(np.zeros((1, 1, 3), np.uint8))).json()["regions"] == []


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (says("I see a sign."), 502, "bad_upstream"),
        (says('[{"text": "far away", "box": [0, 0, 4000, 4000]}]'), 502, "bad_upstream"),
        (says(LINES, finish="length"), 502, "bad_upstream"),
        (raw(b"<html>busy</html>", "text/html"), 502, "bad_upstream"),
        (vision.breaks_off, 502, "upstream_failed"),
        (vision.hangs_up, 502, "upstream_failed"),
        (answers(500), 502, "upstream_failed"),
        (answers(429, Retry_After="9"), 502, "upstream_failed"),
        (answers(401), 502, "upstream_refused"),
        (answers(400), 502, "upstream_refused"),
    ],
)
def test_what_goes_wrong_there_is_told_as_it_is(live: Ocr, server: Vision, reply: Any, status: int, code: str) -> None:
    server.does(reply)
    answer = detect(live)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert KEY not in answer.text
    assert len(server.asked) == 1


def test_an_overloaded_endpoint_says_when_to_come_again(live: Ocr, server: Vision) -> None:
    server.does(answers(429, Retry_After="9"))
    assert detect(live).headers["retry-after"] == "9"


def test_what_such_an_engine_cannot_be_told_is_refused(live: Ocr) -> None:
    for name, answer in (
        ("det_thresh", detect(live, det_thresh=0.5)),
        ("textline_orientation", detect(live, textline_orientation=True)),
    ):
        assert (answer.status_code, answer.json()["field"]) == (422, name)


def test_the_model_is_told_the_languages(live: Ocr, server: Vision) -> None:
    server.does(says(LINES))
    assert detect(live, languages=["zh-Hant", "ko"]).status_code == 200
    assert "codes: zh-Hant, ko." in json.dumps(server.asked[-1]["messages"])
    server.does(says("# Page"))
    assert pages(live, document(1), languages=["tlh"])[0]["markdown"] == "# Page\n"
    assert "codes: tlh." in json.dumps(server.asked[-1]["messages"])
    server.does(says(LINES))
    detect(live)
    assert "codes" not in json.dumps(server.asked[-1]["messages"])


def test_a_page_is_the_models_markdown(live: Ocr, server: Vision) -> None:
    server.does(says("```markdown\n# Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n```"))
    view = ended(live, submit(live, document(2), engine="openai"))
    assert (view["status"], view["failed_pages"]) == ("succeeded", [])
    table = "# Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    assert result(live, view, "md").text == f"{table}\n{table}"
    page = result(live, view).json()["pages"][0]
    assert (page["engine"], page["width"], page["regions"], page["warnings"]) == ("openai", 144, [], [])
    assert [block["kind"] for block in page["blocks"]] == ["markdown"]


def test_a_page_without_text_is_empty(live: Ocr, server: Vision) -> None:
    server.does(says("<!-- blank -->"))
    assert pages(live, document(1))[0]["markdown"] == ""


def test_a_page_that_was_cut_off_says_so_everywhere(live: Ocr, server: Vision) -> None:
    server.does(says("# Half a", finish="length"))
    view = submit(live, document(1), engine="openai")
    with live.socket(f"/v1/jobs/{view['job_id']}/ws") as talk:
        (told,) = (event["data"] for event in talk.hear_until("succeeded") if event["type"] == "progress")
    assert "cut off" in told["warnings"][0]
    text = result(live, view, "md").text
    assert text.startswith("# Half a\n")
    assert "<!-- page 1: the model's answer was cut off" in text


def test_pages_that_fail_leave_the_others_alone(live: Ocr, server: Vision) -> None:
    server.does(says("# One"), answers(400), says("# Other"))
    view = ended(live, submit(live, document(4), engine="openai"))
    assert view["status"] == "succeeded"
    assert [page["code"] for page in view["failed_pages"]] == ["upstream_refused"]
    assert len(server.asked) == 4


def test_a_document_of_which_nothing_could_be_read_fails(live: Ocr, server: Vision) -> None:
    server.does(answers(401))
    view = ended(live, submit(live, document(2), engine="openai"))
    assert view["status"] == "failed"
    assert "does not take the key" in view["error"]["detail"]


def test_so_many_pages_are_under_way_as_are_allowed_and_they_stay_in_order(live: Ocr, server: Vision) -> None:
    server.gate = threading.Semaphore(0)
    server.does(says("# Page"))
    try:
        view = submit(live, document(8), engine="openai")
        for _ in range(3):
            server.begun()
        server.gate.release(100)
        assert ended(live, view)["pages_done"] == 8
    finally:
        server.gate = None
    assert server.most == 3
    assert [page["page"] for page in result(live, view).json()["pages"]] == list(range(1, 9))


def test_an_endpoint_that_hangs_holds_up_nobody_else(live: Ocr, server: Vision) -> None:
    server.gate = threading.Semaphore(0)
    server.does(says(LINES))
    with ThreadPoolExecutor(5) as pool:
        hanging = [pool.submit(detect, live) for _ in range(5)]
        for _ in range(3):
            server.begun()
        try:
            other = detect(live, engine=None).json()
            assert (other["engine"], other["regions"][0]["text"]) == ("dark", "EXIT")
            assert ended(live, submit(live, document(2)))["status"] == "succeeded"
            assert live.get("/readyz").status_code == 200
            assert server.most == 3
        finally:
            server.gate.release(100)
            server.gate = None
        assert {answer.result().status_code for answer in hanging} == {200}


def test_more_than_may_wait_are_refused(serve_ocr: ServeOcr, server: Vision) -> None:
    narrow = serve_ocr(openai_url=server.url, openai_model="eye", openai_concurrency=1, waiting=1, openai_retries=0)
    server.gate = threading.Semaphore(0)
    server.does(says(LINES))
    with ThreadPoolExecutor(2) as pool:
        inside = [pool.submit(detect, narrow) for _ in range(2)]
        try:
            narrow.until(lambda: 'lane_waiting{lane="ocr-openai"} 1' in narrow.get("/metrics").text)
            answer = detect(narrow)
            assert (answer.status_code, answer.json()["code"]) == (429, "engine_busy")
            assert (answer.json()["queue_length"], answer.json()["limit"], answer.headers["retry-after"]) == (1, 1, "2")
        finally:
            server.gate.release(100)
            server.gate = None
        assert {answer.result().status_code for answer in inside} == {200}


def test_a_request_takes_no_longer_than_it_may(serve_ocr: ServeOcr, server: Vision) -> None:
    brief = serve_ocr(openai_url=server.url, openai_model="eye", request_timeout_s=0.2)
    server.does(vision.falls_silent)
    answer = detect(brief)
    assert (answer.status_code, answer.json()["code"]) == (504, "timed_out")


def test_a_service_may_have_such_an_engine_as_its_own(serve_ocr: ServeOcr, server: Vision) -> None:
    own = serve_ocr(engine="openai", openai_url=server.url, openai_model="eye")
    server.does(says(LINES))
    answer = own.post("/ocr", {"file": base64.b64encode(SIGN).decode()}).json()
    assert answer["result"]["ocrResults"][0]["prunedResult"]["rec_texts"] == ["EXIT", "NOW"]
    assert own.get("/v1/engines").json()["default"] == "openai"


def test_no_searchable_pdf_without_lines(live: Ocr) -> None:
    form = {"params": json.dumps({"engine": "openai", "searchable_pdf": True})}
    answer = live.post("/v1/documents", files={"file": ("scan.pdf", document(1))}, data=form)
    assert (answer.status_code, answer.json()["field"]) == (422, "searchable_pdf")


def test_grounded_pieces_come_with_their_places_and_pictures_are_cut_out(live: Ocr, server: Vision) -> None:
    server.does(says(GROUNDED))
    view = ended(live, submit(live, document(1), engine="deepseek"))
    assert result(live, view, "md").text == "# Title\n\n![](images/page-000001-1.jpg)\n\nWords.\n"
    (page,) = result(live, view).json()["pages"]
    assert [(region["id"], region["text"]) for region in page["regions"]] == [("r1", "# Title"), ("r2", "Words.")]
    picture = page["blocks"][1]
    assert (picture["kind"], picture["image"]) == ("picture", "page-000001-1.jpg")
    assert picture["box"]["width"] == pytest.approx(144 * 400 / 999)
    file = live.get(f"/v1/jobs/{view['job_id']}/images/page-000001-1.jpg")
    assert (file.status_code, file.headers["content-type"], file.content[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert live.get(f"/v1/jobs/{view['job_id']}/images/page-000001-2.jpg").status_code == 404
    assert live.get(f"/v1/jobs/{view['job_id']}/images/secret.jpg").status_code == 422


def test_deepseek_is_asked_as_vllm_wants_it(live: Ocr, server: Vision) -> None:
    server.does(says("<|ref|>EXIT<|/ref|><|det|>[[0, 0, 999, 499]]<|/det|>"))
    assert [region["text"] for region in detect(live, engine="deepseek").json()["regions"]] == ["EXIT"]
    (body,) = server.asked
    assert (body["model"], body["skip_special_tokens"]) == ("deepseek-ai/DeepSeek-OCR", False)
    assert body["vllm_xargs"]["ngram_size"] == 30


def test_a_picture_is_described_and_stands_where_it_is(serve_ocr: ServeOcr, server: Vision) -> None:
    bars = serve_ocr(BarReader(), openai_url=server.url, openai_model="eye", openai_image_format="png")
    page = np.full((300, 300, 3), 255, np.uint8)
    page[20:40, 30:120] = 0
    page[100:220, 80:260] = np.random.default_rng(7).integers(0, 160, (120, 180, 3), np.uint8)
    server.does(says("A gray\n[cat]."))
    (read,) = pages(bars, encoded(page), engine=None, describe_images=True)
    assert read["markdown"].endswith("![A gray \\[cat\\].](images/page-000001-1.jpg)\n")
    assert server.prompts()[0].startswith("Describe")
    height, width = server.pictures()[0].shape[:2]
    assert (abs(height - 120) <= 10, abs(width - 180) <= 10) == (True, True)


def test_a_description_that_fails_costs_the_description_only(live: Ocr, server: Vision) -> None:
    server.does(says(GROUNDED), answers(500))
    view = ended(live, submit(live, document(1), engine="deepseek", describe_images=True))
    (page,) = result(live, view).json()["pages"]
    assert view["status"] == "succeeded"
    assert "![](images/page-000001-1.jpg)" in page["markdown"]
    assert page["warnings"] == ["page-000001-1.jpg could not be described: the endpoint answered 500"]


def test_nothing_is_described_that_nobody_asked_for(live: Ocr, server: Vision) -> None:
    server.does(says(GROUNDED))
    pages(live, document(1), engine="deepseek")
    assert len(server.asked) == 1


@pytest.mark.parametrize("engine", [None, "deepseek"])
def test_no_description_without_an_endpoint(serve_ocr: ServeOcr, server: Vision, engine: str | None) -> None:
    mute = serve_ocr(deepseek_url=server.url)
    form = {"params": json.dumps({"describe_images": True, "engine": engine})}
    answer = mute.post("/v1/documents", files={"file": ("scan.pdf", document(1))}, data=form)
    assert (answer.status_code, answer.json()["field"]) == (422, "describe_images")
    assert "OCR_OPENAI_URL" in answer.json()["detail"]


def test_no_description_of_pictures_that_the_engine_does_not_tell(live: Ocr) -> None:
    form = {"params": json.dumps({"describe_images": True, "engine": "openai"})}
    answer = live.post("/v1/documents", files={"file": ("scan.pdf", document(1))}, data=form)
    assert (answer.status_code, answer.json()["field"]) == (422, "describe_images")


def test_no_more_pictures_are_cut_out_than_a_page_may_have(live: Ocr, server: Vision) -> None:
    server.does(says("<|ref|>image<|/ref|><|det|>[[99, 299, 499, 699]]<|/det|>\n" * 101))
    (page,) = pages(live, document(1), engine="deepseek")
    assert len([block for block in page["blocks"] if block["kind"] == "picture"]) == 100
    assert page["warnings"] == ["of 101 pictures the first 100 are kept"]


def test_more_pages_may_be_under_way_than_can_be_rendered_at_once(serve_ocr: ServeOcr, server: Vision) -> None:
    wide = serve_ocr(openai_url=server.url, openai_model="eye", openai_concurrency=12, slots=1)
    server.does(says("text"))
    assert [page["markdown"] for page in pages(wide, document(12))] == ["text\n"] * 12


def test_engines_say_what_is_missing(serve_ocr: ServeOcr, live: Ocr) -> None:
    told = {engine["name"]: engine for engine in serve_ocr().get("/v1/engines").json()["engines"]}
    assert told["openai"]["reason"] == "not set: OCR_OPENAI_URL, OCR_OPENAI_MODEL"
    assert told["deepseek"]["reason"] == "not set: OCR_DEEPSEEK_URL"
    assert {"lines", "markdown"} <= set(told["openai"]["can"])
    set_up = {engine["name"]: engine["usable"] for engine in live.get("/v1/engines").json()["engines"]}
    assert (set_up["openai"], set_up["deepseek"]) == (True, True)


def test_an_engine_that_is_not_set_up_is_refused(serve_ocr: ServeOcr) -> None:
    bare = serve_ocr()
    refused = detect(bare)
    assert (refused.status_code, refused.json()["field"], refused.json()["retryable"]) == (422, "engine", False)
    form = {"params": json.dumps({"engine": "openai"})}
    answer = bare.post("/v1/documents", files={"file": ("scan.pdf", document(1))}, data=form)
    assert (answer.status_code, answer.json()["field"]) == (422, "engine")
