"""The ocr-service over HTTP: PaddleX's wire as its clients know it, and the native calls beside it."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cleanplate.contract.geometry import Polygon
from ocr_service.engines import Line, ReadOptions
from ocr_service.wires import spools
from tests.fakes.bombs import pdf_with_bomb
from tests.wires import dark, pictures
from tests.wires.conftest import Ocr, ServeOcr
from tests.wires.pictures import IMAGE, PNG

CHART_KEYS = {"model_settings", "dt_polys", "text_det_params", "text_type", "text_rec_score_thresh", "return_word_box",
              "rec_texts", "rec_scores", "rec_polys", "rec_boxes"}  # fmt: skip
BOX = [20, 30, 60, 40]
DOT = base64.b64encode(pictures.encoded(np.full((1, 1, 3), 255, np.uint8))).decode()


class Arched(dark.DarkReader):
    """Finds one line of this shape."""

    def __init__(self, polygon: Polygon):
        self._polygon = polygon

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        return [Line(self._polygon, "ARCH", 0.9)]


@pytest.fixture(scope="module")
def ocr(serve_ocr: ServeOcr) -> Ocr:
    return serve_ocr(max_pages=3)


SIGN = pictures.text(dark.SIGN)


def _pdf(pages: int) -> str:
    return pictures.text(dark.pdf(pages))


def _read(live: Ocr, **body: Any) -> dict[str, Any]:
    answer = live.post("/ocr", body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def _error(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert answer.status_code in statuses, (answer.status_code, body)
    assert body.keys() == {"logId", "errorCode", "errorMsg"}
    assert body["errorCode"] == answer.status_code
    assert body["logId"]
    assert body["errorMsg"]
    return body


def _jpeg_size(text: str) -> tuple[int, int]:
    with Image.open(BytesIO(base64.b64decode(text))) as image:
        assert image.format == "JPEG"
        return image.size


def test_a_picture_is_answered_in_paddlex_s_shape(ocr: Ocr) -> None:
    body = _read(ocr, file=SIGN, fileType=1)
    assert body.keys() == {"logId", "errorCode", "errorMsg", "result"}
    assert (body["errorCode"], body["errorMsg"]) == (0, "Success")
    assert body["logId"]
    result = body["result"]
    assert result.keys() == {"ocrResults", "dataInfo"}
    assert result["dataInfo"] == {"width": pictures.WIDTH, "height": pictures.HEIGHT, "type": "image"}
    (page,) = result["ocrResults"]
    assert page.keys() == {"prunedResult", "ocrImage", "docPreprocessingImage", "inputImage"}
    pruned = page["prunedResult"]
    assert pruned.keys() == CHART_KEYS
    assert pruned["model_settings"] == {"use_doc_preprocessor": False, "use_textline_orientation": False}
    assert pruned["text_det_params"] == {
        "limit_side_len": 960, "limit_type": "max", "thresh": 0.3, "max_side_limit": 4000, "box_thresh": 0.6,
        "unclip_ratio": 1.5,
    }  # fmt: skip
    assert (pruned["text_type"], pruned["text_rec_score_thresh"], pruned["return_word_box"]) == ("general", 0.0, False)
    left, top, right, bottom = BOX
    assert pruned["rec_boxes"] == [BOX]
    assert pruned["dt_polys"] == pruned["rec_polys"] == [[[left, top], [right, top], [right, bottom], [left, bottom]]]
    assert (pruned["rec_texts"], pruned["rec_scores"]) == (["EXIT"], [0.75])


def test_a_picture_of_one_pixel_has_no_text_and_is_no_error(ocr: Ocr) -> None:
    body = _read(ocr, file=DOT, fileType=1)
    pruned = body["result"]["ocrResults"][0]["prunedResult"]
    assert body["result"]["dataInfo"] == {"width": 1, "height": 1, "type": "image"}
    for name in ("dt_polys", "rec_texts", "rec_scores", "rec_polys", "rec_boxes"):
        assert pruned[name] == []


@pytest.mark.parametrize("type_", [0, None, ...])
def test_a_pdf_is_read_page_by_page(ocr: Ocr, type_: Any) -> None:
    body = _read(ocr, file=_pdf(2), **({} if type_ is ... else {"fileType": type_}))
    size = {"width": pictures.WIDTH, "height": pictures.HEIGHT}
    assert body["result"]["dataInfo"] == {"numPages": 2, "pages": [size, size], "type": "pdf"}
    assert [page["prunedResult"]["rec_texts"] for page in body["result"]["ocrResults"]] == [["EXIT"], ["EXIT"]]


@pytest.mark.parametrize("type_", [1, None, ...])
def test_a_picture_is_known_by_its_type_or_its_content(ocr: Ocr, type_: Any) -> None:
    body = _read(ocr, file=SIGN, **({} if type_ is ... else {"fileType": type_}))
    assert body["result"]["dataInfo"]["type"] == "image"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_kind_of_picture_is_read(ocr: Ocr, kind: str) -> None:
    file = pictures.text(pictures.encoded(dark.sign(), kind))
    assert _read(ocr, file=file)["result"]["ocrResults"][0]["prunedResult"]["rec_texts"] == ["EXIT"]


def test_a_data_uri_is_a_file_too(ocr: Ocr) -> None:
    assert _read(ocr, file="data:image/png;base64," + SIGN)["errorCode"] == 0


@pytest.mark.parametrize("wish", [True, None, ...])
def test_pictures_of_what_was_found_come_along(ocr: Ocr, wish: Any) -> None:
    (page,) = _read(ocr, file=SIGN, **({} if wish is ... else {"visualize": wish}))["result"]["ocrResults"]
    assert _jpeg_size(page["ocrImage"]) == _jpeg_size(page["inputImage"]) == (pictures.WIDTH, pictures.HEIGHT)
    assert page["docPreprocessingImage"] is None
    assert page["ocrImage"] != page["inputImage"]


def test_the_pictures_of_many_pages_do_not_pile_up_in_memory(monkeypatch: pytest.MonkeyPatch, ocr: Ocr) -> None:
    expected = _read(ocr, file=_pdf(3), fileType=0)
    monkeypatch.setattr(spools, "IN_MEMORY_BYTES", 1000)
    answer = ocr.post("/ocr", {"file": _pdf(3), "fileType": 0, "logId": expected["logId"]})
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.json() == expected


def test_a_bent_line_has_four_corners_here(serve_ocr: ServeOcr) -> None:
    arch = ((10.0, 40.0), (50.0, 20.0), (90.0, 40.0), (90.0, 50.0), (50.0, 30.0), (10.0, 50.0))
    page = _read(serve_ocr(Arched(arch)), file=SIGN)["result"]["ocrResults"][0]["prunedResult"]
    assert page["rec_polys"] == [[[10, 20], [90, 20], [90, 50], [10, 50]]]
    assert page["rec_boxes"] == [[10, 20, 90, 50]]


def test_without_visualize_there_are_no_pictures(ocr: Ocr) -> None:
    (page,) = _read(ocr, file=SIGN, visualize=False)["result"]["ocrResults"]
    assert (page["ocrImage"], page["docPreprocessingImage"], page["inputImage"]) == (None, None, None)


def test_options_are_heeded_and_shown_and_unknown_keys_ignored(ocr: Ocr) -> None:
    body = _read(
        ocr, file=SIGN, fileType=1, logId="mine", useDocOrientationClassify=False, useDocUnwarping=None,
        useTextlineOrientation=True, textDetLimitSideLen=64, textDetLimitType="min", textDetThresh=0.2,
        textDetBoxThresh=0.5, textDetUnclipRatio=2.0, textRecScoreThresh=0.1, returnWordBox=False,
        useLayoutDetection=True, prettifyMarkdown=True, promptLabel="ocr",
    )  # fmt: skip
    pruned = body["result"]["ocrResults"][0]["prunedResult"]
    assert body["logId"] == "mine"
    assert pruned.keys() == CHART_KEYS | {"textline_orientation_angles"}
    assert pruned["textline_orientation_angles"] == [0]
    assert pruned["model_settings"]["use_textline_orientation"] is True
    assert pruned["text_rec_score_thresh"] == 0.1
    shown = {"limit_side_len": 64, "limit_type": "min", "thresh": 0.2, "box_thresh": 0.5, "unclip_ratio": 2.0}
    assert pruned["text_det_params"] == {**shown, "max_side_limit": 4000}


def test_words_come_along_when_they_are_asked_for(ocr: Ocr) -> None:
    pruned = _read(ocr, file=SIGN, returnWordBox=True)["result"]["ocrResults"][0]["prunedResult"]
    assert pruned.keys() == CHART_KEYS | {"text_word", "text_word_boxes"}
    assert pruned["return_word_box"] is True
    assert pruned["text_word"] == [["EXIT"]]
    assert pruned["text_word_boxes"] == [[BOX]]


def test_a_page_says_how_it_lay_when_that_is_asked_for(ocr: Ocr) -> None:
    pruned = _read(ocr, file=SIGN, useDocOrientationClassify=True)["result"]["ocrResults"][0]["prunedResult"]
    assert pruned.keys() == CHART_KEYS | {"doc_preprocessor_res"}
    assert pruned["model_settings"]["use_doc_preprocessor"] is True
    used = {"use_doc_orientation_classify": True, "use_doc_unwarping": False}
    assert pruned["doc_preprocessor_res"] == {"model_settings": used, "angle": 0}
    assert pruned["rec_boxes"] == [BOX]


def test_a_page_that_takes_its_renderer_forever_is_the_client_s_error(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(page_timeout_s=3.0)
    told = _error(live.post("/ocr", {"file": pictures.text(pdf_with_bomb())}), 400)
    assert told["errorMsg"] == "file: page 1 of the PDF takes more time or memory than a page may"
    assert _read(live, file=_pdf(2))["result"]["dataInfo"]["numPages"] == 2


BAD_FILES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "missing": (..., (422,)),
    "null": (None, (422,)),
    "a number": (5, (422,)),
    "empty": ("", (400, 422)),
    "no base64": ("hello!", (400, 422)),
    "text": (pictures.text(b"hello world"), (400, 422)),
    "half a PNG": (pictures.text(PNG[:200]), (400, 422)),
    "a kind that is not read": (pictures.text(b"8BPS" + b"\0" * 50), (422,)),
    "a private address": ("http://127.0.0.1/a.png", (422,)),
    "metadata": ("http://169.254.169.254/latest", (422,)),
    "a file of the server's": ("file:///etc/passwd", (422,)),
    "nowhere, with a password": ("http://user:password@nowhere.invalid/a.png", (422,)),
    "half a character": ("\ud800", (400, 422)),
    "a PDF that is none": (pictures.text(b"%PDF-1.7 hello"), (400, 422)),
    "too many pages": (_pdf(4), (413,)),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_is_none_is_told_in_paddlex_s_shape(ocr: Ocr, case: str) -> None:
    file, statuses = BAD_FILES[case]
    body = {"fileType": None, "logId": "mine"} if file is ... else {"file": file, "logId": "mine"}
    sent = {"content": json.dumps(body).encode(), "headers": {"Content-Type": "application/json"}}
    _error(ocr.post("/ocr", **sent), *statuses)
    assert _read(ocr, file=DOT)["errorCode"] == 0


def test_an_error_carries_the_client_s_log_id(ocr: Ocr) -> None:
    assert _error(ocr.post("/ocr", {"file": "hello!", "logId": "mine"}), 400, 422)["logId"] == "mine"


def test_a_file_of_the_wrong_type_is_an_error(ocr: Ocr) -> None:
    _error(ocr.post("/ocr", {"file": SIGN, "fileType": 0}), 400, 422)
    _error(ocr.post("/ocr", {"file": _pdf(1), "fileType": 1}), 422)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fileType", 2),
        ("fileType", "pdf"),
        ("useTextlineOrientation", "perhaps"),
        ("textDetLimitSideLen", 0),
        ("textDetLimitSideLen", 10**400),
        ("textDetLimitType", "middle"),
        ("textDetThresh", float("nan")),
        ("textDetBoxThresh", 2),
        ("textDetUnclipRatio", float("inf")),
        ("textRecScoreThresh", -1),
        ("visualize", "perhaps"),
        ("logId", "a" * 201),
        ("useDocUnwarping", True),
    ],
)
def test_a_field_out_of_its_range_is_422(ocr: Ocr, field: str, value: Any) -> None:
    content = json.dumps({"file": SIGN, field: value}).encode()
    told = _error(ocr.post("/ocr", content=content, headers={"Content-Type": "application/json"}), 422)
    assert told["errorMsg"].count(field) == 1
    assert "_" not in told["errorMsg"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff"])
def test_a_body_that_cannot_be_read_is_400(ocr: Ocr, content: bytes) -> None:
    _error(ocr.post("/ocr", content=content, headers={"Content-Type": "application/json"}), 400)


def test_an_unknown_content_type_is_the_client_s_error(ocr: Ocr) -> None:
    _error(ocr.post("/ocr", content=b"file=1", headers={"Content-Type": "text/plain"}), 422)


def test_an_unknown_path_is_404_and_a_wrong_method_405(ocr: Ocr) -> None:
    _error(ocr.get("/ocr/x"), 404)
    _error(ocr.get("/k/x/nothing"), 404)
    wrong = ocr.get("/ocr")
    _error(wrong, 405)
    assert wrong.headers["allow"] == "POST"


def test_too_large_is_413(serve_ocr: ServeOcr) -> None:
    live = serve_ocr(max_file_size=2000, max_pixels=10_000)
    _error(live.post("/ocr", {"file": pictures.text(pictures.encoded(pictures.noise()))}), 413)
    _error(live.post("/ocr", {"file": IMAGE}), 413)
    _error(live.post("/ocr", {"file": "a" * 2_000_000}), 413)
    assert _read(live, file=DOT)["errorCode"] == 0


def test_the_health_checks(ocr: Ocr) -> None:
    assert ocr.get("/healthz").json()["status"] == "ok"
    body = ocr.get("/health").json()
    assert body.keys() == {"logId", "errorCode", "errorMsg"}
    assert (body["errorCode"], body["errorMsg"]) == (0, "Healthy")
    assert ocr.get("/livez").status_code == ocr.get("/readyz").status_code == 200


@pytest.fixture(scope="module")
def locked(serve_ocr: ServeOcr) -> Ocr:
    return serve_ocr(api_keys="first, second")


def test_a_key_travels_in_the_header_or_in_the_path(locked: Ocr) -> None:
    body = {"file": DOT}
    assert locked.post("/ocr", body, headers={"Authorization": "Bearer first"}).status_code == 200
    assert locked.post("/k/second/ocr", body).status_code == 200
    _error(locked.post("/ocr", body), 401)
    _error(locked.post("/ocr", body, headers={"Authorization": "Bearer third"}), 401)
    _error(locked.post("/k/third/ocr", body), 401)
    _error(locked.post("/k/%C3%A9/ocr", body), 401)


def test_only_probes_answer_without_a_key(locked: Ocr) -> None:
    for path in ("/healthz", "/health", "/livez", "/readyz", "/metrics"):
        assert locked.get(path).status_code == 200
    assert locked.get("/v1/engines").status_code == 401
    refused = locked.post("/v1/detect", {"image": SIGN})
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")


def test_a_stranger_s_web_page_is_refused_on_either_path(ocr: Ocr, locked: Ocr) -> None:
    page = {"Origin": "https://stranger.example"}
    _error(ocr.post("/ocr", {"file": DOT}, headers=page), 403)
    _error(ocr.post("/k/whatever/ocr", {"file": DOT}, headers=page), 403)
    assert locked.post("/k/first/ocr", {"file": DOT}, headers=page).status_code == 200


def test_a_refused_key_is_told_how_to_send_one(locked: Ocr) -> None:
    assert locked.post("/ocr", {"file": DOT}).headers["www-authenticate"] == "Bearer"


def test_without_keys_the_path_with_one_works_too(ocr: Ocr) -> None:
    assert ocr.post("/k/whatever/ocr", {"file": DOT}).status_code == 200


def test_detect_gives_regions_in_pixels(ocr: Ocr) -> None:
    body = ocr.post("/v1/detect", {"image": SIGN}).json()
    assert body.keys() == {"width", "height", "engine", "model", "regions", "timings", "quarter_turns"}
    assert (body["width"], body["height"]) == (pictures.WIDTH, pictures.HEIGHT)
    assert (body["engine"], body["model"]) == ("dark", "one line")
    (region,) = body["regions"]
    assert region.keys() >= {"id", "polygon", "box", "text", "score", "angle"}
    assert region["box"] == {"x": 20, "y": 30, "width": 40, "height": 10}
    assert (region["text"], region["score"], region["angle"]) == ("EXIT", 0.75, 0)
    assert len(region["polygon"]) >= 4


def test_detect_gives_words_to_whom_asks_for_them(ocr: Ocr) -> None:
    (region,) = ocr.post("/v1/detect", {"image": SIGN, "word_boxes": True}).json()["regions"]
    assert [word["text"] for word in region["words"]] == ["EXIT"]  # cut in two by the engine
    assert region["words"][0]["polygon"] == region["polygon"]
    (region,) = ocr.post("/v1/detect", {"image": SIGN}).json()["regions"]
    assert "words" not in region


def test_detect_takes_a_form(ocr: Ocr) -> None:
    files = {"image": ("sign.png", base64.b64decode(SIGN))}
    answer = ocr.post("/v1/detect", files=files, data={"params": '{"textline_orientation": true}'})
    assert [region["text"] for region in answer.json()["regions"]] == ["EXIT"]


def test_coordinates_are_those_of_the_picture_as_displayed(ocr: Ocr) -> None:
    file, turned = BytesIO(), Image.fromarray(np.rot90(dark.sign()).copy())
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(file, "PNG", exif=exif)
    body = ocr.post("/v1/detect", {"image": pictures.text(file.getvalue())}).json()
    assert (body["width"], body["height"]) == (pictures.WIDTH, pictures.HEIGHT)
    assert body["regions"][0]["box"] == {"x": 20, "y": 30, "width": 40, "height": 10}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "image"),
        ({"image": None}, "image"),
        ({"image": 5}, "image"),
        ({"image": ""}, "image"),
        ({"image": "hello!"}, "image"),
        ({"image": pictures.text(b"hello world")}, "image"),
        ({"image": pictures.text(PNG[:100])}, "image"),
        ({"image": SIGN, "engine": "nobody"}, "engine"),
        ({"image": SIGN, "engine": "\ud800"}, "engine"),
        ({"image": SIGN, "engine": 5}, "engine"),
        ({"image": SIGN, "det_thresh": float("nan")}, "det_thresh"),
        ({"image": SIGN, "det_limit_side_len": 10**400}, "det_limit_side_len"),
        ({"image": SIGN, "det_limit_type": "middle"}, "det_limit_type"),
        ({"image": SIGN, "surprise": 1}, "surprise"),
    ],
)
def test_detect_tells_what_is_wrong(ocr: Ocr, body: dict[str, Any], field: str) -> None:
    answer = ocr.post("/v1/detect", content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


def test_the_engines_are_listed_with_why_they_cannot_be_used(ocr: Ocr) -> None:
    body = ocr.get("/v1/engines").json()
    assert body["default"] == ocr.settings.engine
    for engine in body["engines"]:
        assert engine.keys() >= {"name", "usable", "reason"}
        assert engine["usable"] or engine["reason"]
