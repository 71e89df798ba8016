"""The asynchronous mode of PaddleX's clients."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.fakes.stripes import Stripes, page
from tests.wires import dark
from tests.wires.conftest import Ocr, ServeOcr
from tests.wires.pictures import encoded

JOBS = "/api/v2/ocr/jobs"
ANN, BOB = {"Authorization": "Bearer ann's"}, {"Authorization": "Bearer bob's"}


@pytest.fixture(scope="module")
def ocr(serve_ocr: ServeOcr) -> Ocr:
    return serve_ocr(dark.Stumbler(), max_pages=3)


def _send(live: Ocr, data: bytes, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
    return live.post(JOBS, files={"file": ("a.pdf", data)}, data=fields, headers=headers)


def _ended(live: Ocr, answer: httpx.Response, headers: dict[str, str] | None = None) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"data"}
    assert answer.json()["data"].keys() == {"jobId"}
    path = f"{JOBS}/{answer.json()['data']['jobId']}"

    def found() -> dict[str, Any] | None:
        told: dict[str, Any] = live.get(path, headers=headers).json()["data"]
        assert told["state"] in ("pending", "running", "done", "failed")
        return told if told["state"] in ("done", "failed") else None

    ended = live.until(found)
    assert ended is not None
    return ended


def _lines(live: Ocr, told: dict[str, Any]) -> list[dict[str, Any]]:
    assert told.keys() == {"jobId", "state", "resultUrl"}
    assert told["state"] == "done"
    url = told["resultUrl"]["jsonUrl"]
    assert url.startswith(live.url)
    answer = live.get(url)
    assert answer.headers["content-type"] == "application/jsonl"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_job_gives_a_line_for_each_page(ocr: Ocr) -> None:
    payload = json.dumps({"useTextlineOrientation": True, "textDetThresh": 0.2, "useDocUnwarping": False})
    told = _ended(ocr, _send(ocr, dark.pdf(3, blank=1), model="PP-OCRv5", optionalPayload=payload))
    first, second, blank = _lines(ocr, told)
    assert first == second
    assert first.keys() == {"result"}
    (page,) = first["result"]["ocrResults"]
    assert page["prunedResult"]["rec_texts"] == ["EXIT"]
    assert page["prunedResult"]["rec_boxes"] == [[20, 30, 60, 40]]
    assert page["prunedResult"]["textline_orientation_angles"] == [0]
    assert page["prunedResult"]["text_det_params"]["thresh"] == 0.2
    assert blank["result"]["ocrResults"][0]["prunedResult"]["rec_texts"] == []


def test_a_page_that_lies_on_its_side_is_read_upright(serve_ocr: ServeOcr) -> None:
    live, lying = serve_ocr(Stripes()), encoded(np.rot90(page(), 1).copy())
    payload = json.dumps({"useDocOrientationClassify": True})
    (line,) = _lines(live, _ended(live, _send(live, lying, optionalPayload=payload)))
    found = line["result"]["ocrResults"][0]["prunedResult"]
    assert (found["rec_texts"], found["doc_preprocessor_res"]["angle"]) == (["stripes"], 270)


@pytest.mark.parametrize("model", ["PP-StructureV3", "PaddleOCR-VL"])
def test_a_layout_model_is_answered_with_markdown(ocr: Ocr, model: str) -> None:
    (line,) = _lines(ocr, _ended(ocr, _send(ocr, dark.SIGN, model=model)))
    (page,) = line["result"]["layoutParsingResults"]
    assert page.keys() == {"prunedResult", "markdown"}
    assert page["markdown"] == {"text": "EXIT\n", "images": {}}


def test_a_job_that_failed_says_why(ocr: Ocr) -> None:
    told = _ended(ocr, _send(ocr, dark.pdf(1, blank=1)))
    error = "no page could be read; page 1: nothing is on it"
    assert told == {"jobId": told["jobId"], "state": "failed", "errorMsg": error}
    refused = ocr.get(f"{JOBS}/{told['jobId']}/result.jsonl")
    assert (refused.status_code, refused.json()["errorMsg"]) == (422, "the job is failed")


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"json": {"file": "x"}},
        {"files": {"file": ("a", b"hello")}},
        {"files": {"file": ("a", dark.pdf(4))}},
        {"files": {"file": ("a", dark.SIGN)}, "data": {"model": "a" * 101}},
        {"files": {"file": ("a", dark.SIGN)}, "data": {"optionalPayload": "{"}},
        {"files": {"file": ("a", dark.SIGN)}, "data": {"optionalPayload": '{"textDetThresh": 5}'}},
        {"files": {"file": ("a", dark.SIGN)}, "data": {"optionalPayload": '{"useDocUnwarping": true}'}},
    ],
)
def test_a_bad_job_is_refused_in_paddlex_s_shape(ocr: Ocr, sent: dict[str, Any]) -> None:
    answer = ocr.post(JOBS, **sent)
    assert answer.status_code in (400, 413, 422)
    assert answer.json().keys() == {"logId", "errorCode", "errorMsg"}
    assert answer.json()["errorCode"] == answer.status_code


def test_a_job_belongs_to_its_key_and_its_result_to_who_knows_it(serve_ocr: ServeOcr) -> None:
    locked = serve_ocr(api_keys="ann's, bob's")
    assert _send(locked, dark.SIGN).status_code == 401
    told = _ended(locked, _send(locked, dark.SIGN, ANN), ANN)
    assert locked.get(f"{JOBS}/{told['jobId']}", headers=BOB).status_code == 404
    assert len(_lines(locked, told)) == 1
    other = locked.post("/ann's/api/async/image", files={"file": ("a", dark.SIGN)}).json()["task_id"]
    assert locked.get(f"{JOBS}/{other}/result.jsonl").status_code == 404
