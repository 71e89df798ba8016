"""Whatever is sent: never a 5xx, always a problem that names what is wrong, and the service answers afterwards."""

from __future__ import annotations

import http.client
import json
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.wires import pictures
from tests.wires.conftest import Inpaint, Serve
from tests.wires.pictures import IMAGE, JPEG, MASK, PNG, REGIONS, order
from tests.wires.serving import PATIENCE_S

REGION_CALLS = ["inpaint-regions", "inpaint-regions-json", "inpaint-regions-async", "mask"]
CALLS = ["inpaint", *REGION_CALLS]
FLIPS = 40
HUGE = 10**400


def _bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that says it is this large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """Return the problem, which must be one."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body.keys() >= {"type", "title", "status", "detail", "code", "retryable"}
    assert body["status"] == answer.status_code
    assert len(answer.content) < 20_000
    return body


def _refused(live: Inpaint, name: str, body: Any, field: str, *statuses: int) -> dict[str, Any]:
    """Send a body, JSON as Python's own writer makes it, NaN included."""
    sent = {"content": json.dumps(body).encode(), "headers": {"Content-Type": "application/json"}}
    problem = _problem(live.post(f"/api/v1/{name}", **sent))
    assert problem.get("field", "").startswith(field), problem
    assert problem["status"] in (statuses or (400, 413, 415, 422)), problem
    return problem


@pytest.fixture(autouse=True)
def _it_still_answers(inpaint: Inpaint) -> Iterator[None]:
    yield
    assert inpaint.post("/api/v1/inpaint-regions", order()).status_code == 200


BROKEN = {
    "nothing": b"",
    "spaces": b"   ",
    "a brace": b"{",
    "no JSON": b"image=1",
    "cut off": json.dumps(order()).encode()[:200],
    "not UTF-8": b'{"image": "\xff\xfe"}',
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "too deep": b"[" * 100_000,
    "a number of 10,000 digits": b'{"sd_seed": ' + b"9" * 10_000 + b"}",
    "zero bytes": b"\0" * 100,
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("case", BROKEN)
def test_a_body_that_cannot_be_read(inpaint: Inpaint, name: str, case: str) -> None:
    answer = inpaint.post(f"/api/v1/{name}", content=BROKEN[case], headers={"Content-Type": "application/json"})
    assert _problem(answer)["status"] in (400, 422)


NOT_IMAGES = {
    "missing": ...,
    "null": None,
    "a number": 5,
    "true": True,
    "a list": ["a"],
    "an object": {"data": IMAGE},
    "empty": "",
    "spaces": "  \n ",
    "no base64": "hello!",
    "half a character": "\ud800",
    "a URL": "http://example.org/a.png",
    "a data URI of text": "data:text/plain;base64,aGVsbG8gd29ybGQ=",
    "a data URI without base64": "data:image/png,hello",
    "a data URI of nothing": "data:image/png;base64,",
    "text": pictures.text(b"hello world"),
    "half a PNG": pictures.text(PNG[: len(PNG) // 2]),
    "a PNG's signature": pictures.text(PNG[:8]),
    "half a JPEG": pictures.text(JPEG[: len(JPEG) // 2]),
    "a JPEG's start": pictures.text(JPEG[:3]),
    "a PDF": pictures.text(b"%PDF-1.7\n%%EOF"),
    "an SVG": pictures.text(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "zero bytes": pictures.text(b"\0" * 100),
    "a bomb": pictures.text(_bomb(50_000, 50_000)),
    "the largest bomb": pictures.text(_bomb(2**31 - 1, 2**31 - 1)),
    "no width": pictures.text(_bomb(0, 10)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("case", NOT_IMAGES)
def test_an_image_that_is_none(inpaint: Inpaint, name: str, case: str) -> None:
    body = {**order(image=NOT_IMAGES[case]), "mask": MASK}
    if case == "missing":
        del body["image"]
    if name == "inpaint-regions-async" and case == "half a PNG":  # its header is whole
        view = inpaint.ended(inpaint.post(f"/api/v1/{name}", body).json()["task_id"])
        assert view["status"] == "error"
        return
    problem = _refused(inpaint, name, body, "image")
    if "bomb" in case:
        assert (problem["status"], problem["limit"], problem["limit_name"]) == (413, 150_000_000, "max_pixels")


@pytest.mark.parametrize("case", NOT_IMAGES)
def test_a_mask_that_is_none(inpaint: Inpaint, case: str) -> None:
    body = {"image": IMAGE, "mask": NOT_IMAGES[case]}
    if case == "missing":
        del body["mask"]
    _refused(inpaint, "inpaint", body, "mask")


@pytest.mark.parametrize("size", [(1, 1), (pictures.HEIGHT, pictures.WIDTH), (pictures.WIDTH + 1, pictures.HEIGHT)])
def test_a_mask_of_another_size(inpaint: Inpaint, size: tuple[int, int]) -> None:
    other = pictures.text(pictures.encoded(np.zeros(size[::-1], np.uint8)))
    problem = _refused(inpaint, "inpaint", {"image": IMAGE, "mask": other}, "mask", 400)
    assert f"{size[0]} x {size[1]}" in problem["detail"]
    assert f"{pictures.WIDTH} x {pictures.HEIGHT}" in problem["detail"]


BOX = {"x": 20, "y": 30, "width": 40, "height": 10}
NOT_REGIONS: dict[str, Any] = {
    "missing": ...,
    "null": None,
    "none at all": [],
    "a number": 5,
    "text": "all of them",
    "an object": BOX,
    "a list of numbers": [1, 2],
    "a list of null": [None],
    "lists": [[20, 30, 40, 10]],
    "an empty one": [{}],
    "without a height": [{"x": 1, "y": 1, "width": 5}],
    "a null": [{**BOX, "x": None}],
    "a word": [{**BOX, "y": "left"}],
    "a list for a number": [{**BOX, "width": [1]}],
    "not a number": [{**BOX, "x": float("nan")}],
    "infinite": [{**BOX, "width": float("inf")}],
    "minus infinite": [{**BOX, "y": float("-inf")}],
    "huge": [{**BOX, "height": 1e300}],
    "huge and whole": [{**BOX, "height": HUGE}],
    "a negative size": [{**BOX, "width": -5}],
    "no area": [{**BOX, "width": 0}],
    "wholly outside": [{**BOX, "x": 5000}],
    "left of it": [{**BOX, "x": -40}],
    "at its border": [{**BOX, "y": pictures.HEIGHT}],
    "the second outside": [BOX, {**BOX, "y": 5000}],
    "a polygon of 2": [{"polygon": [[1, 1], [5, 5]]}],
    "a polygon of none": [{"polygon": []}],
    "a polygon on a line": [{"polygon": [[1, 1], [5, 5], [9, 9]]}],
    "a polygon outside": [{"polygon": [[-9, -9], [-5, -9], [-5, -5]]}],
    "a polygon of numbers": [{"polygon": [1, 2, 3, 4, 5, 6]}],
    "a polygon in three dimensions": [{"polygon": [[1, 1, 1], [5, 5, 5], [9, 1, 1]]}],
    "a polygon of words": [{"polygon": "abc"}],
    "a polygon with NaN": [{"polygon": [[1, 1], [5, float("nan")], [9, 1]]}],
    "too many corners": [{"polygon": [[i % 50, i % 40] for i in range(1001)]}],
    "a bounding box that is none": [{"bounding_box": [1, 2, 3, 4]}],
    "a score over 1": [{**BOX, "score": 2}],
    "a long text": [{**BOX, "text": "a" * 10_001}],
    "a long id": [{**BOX, "id": "a" * 201}],
    "an unknown mask mode": [{**BOX, "mask_mode": "magic"}],
    "half a character": [{**BOX, "id": "\ud800"}],
}


@pytest.mark.parametrize("name", REGION_CALLS)
@pytest.mark.parametrize("case", NOT_REGIONS)
def test_regions_that_are_none(inpaint: Inpaint, name: str, case: str) -> None:
    body = order(regions=NOT_REGIONS[case])
    if case == "missing":
        del body["regions"]
    problem = _refused(inpaint, name, body, "regions", 400, 422)
    if case == "the second outside":
        assert (problem["field"], problem["index"], problem["code"]) == ("regions.1", 1, "region_outside")


WRONG: dict[str, list[Any]] = {
    "sd_seed": [-2, 2**32, HUGE, 1.5, "x", [], None],
    "sd_steps": [0, 1001, "many", {}],
    "sd_strength": [-0.1, 1.1, float("nan"), "strong"],
    "sd_guidance_scale": [-1, 101, float("inf"), HUGE],
    "sd_sampler": ["magic", 5, None],
    "hd_strategy": ["Magic", 5, None, ["Crop"]],
    "hd_strategy_crop_trigger_size": [0, -1, 1e9, "big"],
    "hd_strategy_crop_margin": [-1, 10_001, float("nan")],
    "hd_strategy_resize_limit": [0, HUGE, "x"],
    "prompt": [5, "a" * 10_001, None, "\ud800"],
    "negative_prompt": [[], "a" * 10_001],
    "model": [5, "a" * 201, "no-such-model", "lama/../..", "\ud800"],
    "mask_mode": ["magic", "letters", 5, None],
    "mask_dilation": [-1, 501, float("nan"), "wide"],
    "feather": [-1, 101, float("inf"), "soft"],
    "output_format": ["bmp", "PNG ", 5, None],
    "quality": [0, 101, "best", 1.5, float("nan")],
}
WRONG_JSON: dict[str, list[Any]] = {"include_image": ["perhaps", 2, None, []]}
WRONG_TASK: dict[str, list[Any]] = {
    "task_id": [5, "", "..", "a/b", "a\\b", ".a", "a" * 101, "a b", "é", "a\n", "\0", "\ud800", "%2e%2e", ["a"]],
    "enable_progress": ["perhaps", 2, None],
    "progress_interval": [-1, 3601, float("nan"), float("inf"), "fast", None],
    "callback_url": [
        5, "", "example.org", "ftp://example.org/", "file:///etc/passwd", "http://", "http://[::1", "javascript:0",
        "http://127.0.0.1/", "http://169.254.169.254/", "http://exa mple.org/", "http://example.org:99999/", "\ud800",
    ],
}  # fmt: skip


@pytest.mark.parametrize("field", WRONG)
def test_a_parameter_out_of_its_range(inpaint: Inpaint, field: str) -> None:
    late = {"model"}  # the dry run loads no model
    for value in WRONG[field]:
        _refused(inpaint, "inpaint-regions", order(**{field: value}), field, 422)
        if field not in late:
            _refused(inpaint, "mask", order(**{field: value}), field, 422)
            _refused(inpaint, "inpaint-regions-async", order(**{field: value}), field, 422)


@pytest.mark.parametrize("field", WRONG_JSON)
def test_a_parameter_of_the_statistics_out_of_its_range(inpaint: Inpaint, field: str) -> None:
    for value in WRONG_JSON[field]:
        _refused(inpaint, "inpaint-regions-json", order(**{field: value}), field, 422)


@pytest.mark.parametrize("field", WRONG_TASK)
def test_a_parameter_of_a_task_out_of_its_range(inpaint: Inpaint, field: str) -> None:
    before = inpaint.get("/api/v1/tasks").json()["total_tasks"]
    for value in WRONG_TASK[field]:
        _refused(inpaint, "inpaint-regions-async", order(**{field: value}), field, 422)
    assert inpaint.get("/api/v1/tasks").json()["total_tasks"] == before


def test_several_mistakes_are_told_at_once_and_no_value_is_repeated(inpaint: Inpaint) -> None:
    problem = _refused(inpaint, "inpaint-regions", order(sd_steps=0, quality="secret", feather=-1), "sd_steps", 422)
    assert {error["field"] for error in problem["errors"]} == {"sd_steps", "quality", "feather"}
    assert "secret" not in json.dumps(problem)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "image/png", "application/x-www-form-urlencoded"])
def test_an_unknown_content_type(inpaint: Inpaint, kind: str) -> None:
    answer = inpaint.post("/api/v1/inpaint", content=PNG, headers={"Content-Type": kind})
    problem = _problem(answer)
    assert (problem["status"], problem["field"]) == (415, "Content-Type")


FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "no image": ({"data": {"params": json.dumps({"regions": REGIONS})}, "files": {"other": ("a", b"a")}}, "image"),
    "an empty image": ({"files": {"image": ("a.png", b"")}, "data": {"params": "{}"}}, "image"),
    "two images": ({"files": [("image", ("a", PNG)), ("image", ("b", PNG))], "data": {"params": "{}"}}, "image"),
    "text for an image": ({"files": {"image": ("a.png", b"hello")}, "data": {"regions": json.dumps(REGIONS)}}, "image"),
    "no regions": ({"files": {"image": ("a.png", PNG)}}, "regions"),
    "regions that are no JSON": ({"files": {"image": ("a.png", PNG)}, "data": {"regions": "{"}}, "regions"),
    "params that are no JSON": ({"files": {"image": ("a.png", PNG)}, "data": {"params": "{"}}, "params"),
    "params that are a list": ({"files": {"image": ("a.png", PNG)}, "data": {"params": "[]"}}, "params"),
    "params too deep": ({"files": {"image": ("a.png", PNG)}, "data": {"params": "[" * 50_000}}, "params"),
    "a wrong parameter": ({"files": {"image": ("a.png", PNG)}, "data": {"sd_steps": "0"}}, "sd_steps"),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_form_with_a_mistake(inpaint: Inpaint, case: str) -> None:
    sent, field = FORMS[case]
    assert _problem(inpaint.post("/api/v1/inpaint-regions", **sent))["field"] == field


def test_a_form_with_a_mask_that_is_none(inpaint: Inpaint) -> None:
    for mask in (b"", b"hello", PNG[:50]):
        answer = inpaint.post("/api/v1/inpaint", files={"image": ("a", PNG), "mask": ("m", mask)})
        assert _problem(answer)["field"] == "mask"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b"--a\r\n"),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=a", b""),
        ("multipart/form-data; boundary=a", b"hello"),
        ("multipart/form-data; boundary=a", b"--a\r\nContent-Disposition: form-data\r\n\r\nx\r\n--a--\r\n"),
        ("multipart/form-data; boundary=a", b"--a\r\nNo header\r\n\r\nx\r\n--a--\r\n"),
        ("multipart/form-data; boundary=a", b'--a\r\nContent-Disposition: form-data; name="image"; filename="x'),
        ("multipart/form-data; boundary=" + "a" * 300, b"--a\r\n"),
        ("multipart/form-data; boundary=\xe9", b"--\xe9\r\n"),
    ],
)
def test_a_form_that_is_none(inpaint: Inpaint, kind: str, content: bytes) -> None:
    headers = {"Content-Type": kind.encode("latin-1")}
    assert _problem(inpaint.post("/api/v1/inpaint", content=content, headers=headers))["status"] in (400, 422)


def test_ten_thousand_regions_are_done_and_one_more_is_refused(inpaint: Inpaint) -> None:
    many = [{"x": i % 100, "y": i // 100, "width": 1, "height": 1} for i in range(10_001)]
    body = order(image=pictures.text(pictures.encoded(pictures.plate(200, 202))), mask_dilation=0)
    for name in REGION_CALLS:
        assert _refused(inpaint, name, {**body, "regions": many}, "regions", 413)["limit"] == 10_000
    answer = inpaint.post("/api/v1/inpaint-regions", {**body, "regions": many[:-1]})
    assert (answer.headers["x-regions-count"], answer.headers["x-total-area"]) == ("10000", "10000")


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (3, 3)])
def test_odd_sizes_are_done(inpaint: Inpaint, size: tuple[int, int]) -> None:
    image = pictures.text(pictures.encoded(pictures.noise(*size)))
    region = {"x": 0, "y": 0, "width": 1, "height": 1}
    answer = inpaint.post("/api/v1/inpaint-regions", {"image": image, "regions": [region]})
    assert answer.status_code == 200
    assert pictures.decoded(answer.content).shape == (size[1], size[0], 3)


def test_a_region_over_everything_is_done(inpaint: Inpaint) -> None:
    everything = {"x": -1e6, "y": -1e6, "width": 1e6, "height": 1e6}
    assert inpaint.post("/api/v1/inpaint-regions", order(regions=[everything])).status_code in (200, 422)
    whole = {"x": 0, "y": 0, "width": pictures.WIDTH, "height": pictures.HEIGHT}
    assert inpaint.post("/api/v1/inpaint-regions", order(regions=[whole])).status_code == 200


def _flipped(kind: str) -> Iterator[bytes]:
    """Yield copies of a small file with a few bits turned, bytes cut out, or bytes put in."""
    file = BytesIO()
    Image.fromarray(pictures.noise(24, 16)).save(file, kind)
    chance = np.random.default_rng(11)
    for _ in range(FLIPS):
        data = bytearray(file.getvalue())
        for _ in range(chance.integers(1, 5)):
            data[chance.integers(len(data))] ^= 1 << chance.integers(8)
        at = int(chance.integers(len(data)))
        match chance.integers(4):
            case 0:
                del data[at : at + 5]
            case 1:
                data[at:at] = chance.bytes(5)
            case _:
                pass
        yield bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_damaged_files_never_break_the_service(inpaint: Inpaint, kind: str) -> None:
    region = {"x": 2, "y": 2, "width": 4, "height": 4}
    for data in _flipped(kind):
        answer = inpaint.post("/api/v1/inpaint-regions", {"image": pictures.text(data), "regions": [region]})
        if answer.status_code != 200:
            assert _problem(answer)["field"].startswith(("image", "regions"))


@pytest.fixture(scope="module")
def strict(serve: Serve) -> Inpaint:
    """A service with small limits."""
    return serve(max_file_size=20_000, max_image_size=500, max_regions=3, max_pixels=100_000)


def test_every_limit_is_named(strict: Inpaint) -> None:
    large = pictures.text(pictures.encoded(pictures.noise()))
    wide = pictures.text(pictures.encoded(pictures.plate(501, 10)))
    many = pictures.text(pictures.encoded(pictures.plate(400, 300)))
    for image, limit, name in ((large, 20_000, "max_bytes"), (wide, 500, "max_side"), (many, 100_000, "max_pixels")):
        problem = _refused(strict, "inpaint-regions", order(image=image), "image", 413)
        assert (problem["limit"], problem["limit_name"]) == (limit, name)
        assert str(limit) in problem["detail"]
    problem = _refused(strict, "inpaint-regions", order(regions=REGIONS * 2), "regions", 413)
    assert problem["limit"] == 3
    answer = strict.post(
        "/api/v1/inpaint", files={"image": ("a", pictures.encoded(pictures.noise())), "mask": ("m", PNG)}
    )
    assert (_problem(answer)["field"], answer.json()["limit"]) == ("image", 20_000)


def test_a_body_over_the_limit_is_refused_by_its_length(strict: Inpaint) -> None:
    """The limit is told before the body is sent."""
    connection = http.client.HTTPConnection(strict.address, timeout=PATIENCE_S)
    connection.putrequest("POST", "/api/v1/inpaint")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "3000000")
    connection.endheaders()
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    assert (answer.status, body["code"], body["field"]) == (413, "too_large", "body")
    assert body["limit"] == strict.settings.body_limit()
    assert strict.get("/").status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=a"])
def test_a_body_over_the_limit_is_refused_without_its_length(strict: Inpaint, kind: str) -> None:
    connection = http.client.HTTPConnection(strict.address, timeout=PATIENCE_S)
    connection.putrequest("POST", "/api/v1/inpaint")
    connection.putheader("Content-Type", kind)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    head = (
        b'--a\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        if "multi" in kind
        else b'{"image":"'
    )
    connection.send(b"%x\r\n%s\r\n" % (len(head), head))
    piece = b"%x\r\n%s\r\n" % (100_000, b"a" * 100_000)
    for _ in range(strict.settings.body_limit() // 100_000 + 1):
        connection.send(piece)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    assert (answer.status, body["code"], body["field"]) == (413, "too_large", "body")
    assert body["limit"] == strict.settings.body_limit()


@pytest.mark.parametrize("path", ["/nothing", "/api/v1", "/api/v1/", "/api/v2/inpaint", "/api/v1/inpaint/x", "/%00"])
def test_an_unknown_path(inpaint: Inpaint, path: str) -> None:
    assert _problem(inpaint.get(path))["status"] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/inpaint"),
        ("PUT", "/api/v1/inpaint-regions"),
        ("POST", "/api/v1/health"),
        ("DELETE", "/api/v1/tasks"),
        ("GET", "/api/v1/cancel-task/x"),
        ("POST", "/api/v1/task-status/x"),
        ("PROPFIND", "/api/v1/model"),
    ],
)
def test_a_wrong_method(inpaint: Inpaint, method: str, path: str) -> None:
    answer = inpaint.http.request(method, path)
    assert _problem(answer)["status"] == 405
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "name",
    ["nobody", "..%2F..%2Fetc%2Fpasswd", "a%2Fb", "..", "%2e%2e", "a" * 101, "a" * 5000, "%00", "%ED%A0%80", "%20"],
)
def test_a_task_id_that_is_nobody_s(inpaint: Inpaint, name: str) -> None:
    for method, call in (("GET", "task-status"), ("GET", "task-result"), ("POST", "cancel-task")):
        assert _problem(inpaint.http.request(method, f"/api/v1/{call}/{name}"))["status"] == 404
