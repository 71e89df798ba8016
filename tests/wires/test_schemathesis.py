"""What each service's own OpenAPI page promises, asked with good and bad requests made from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from numpy.typing import NDArray
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.app import make_app as make_backend
from backend.settings import BackendSettings
from ocr_service.app import make_app as make_ocr
from ocr_service.engines import Line, ReadOptions
from ocr_service.settings import OcrSettings
from tests.wires.conftest import Serve
from tests.wires.serving import Live

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = {GenerationMode.POSITIVE: 15, GenerationMode.NEGATIVE: 30}
ENDLESS = {"/api/v1/events"}  # a stream that goes on for as long as it is listened to
NOWHERE = "http://127.0.0.1:9"
SERVICES = ["ocr-service", "inpaint-service", "backend"]
PICTURE_CALLS = {
    "ocr-service": ["/v1/detect", "/v1/documents", "/ocr"],
    "inpaint-service": [
        "/api/v1/inpaint", "/api/v1/inpaint-regions", "/api/v1/inpaint-regions-json", "/api/v1/inpaint-regions-async",
        "/api/v1/mask", "/api/v1/adjust_mask",
    ],
    "backend": ["/api/v1/jobs"],
}  # fmt: skip


class Blind:
    """An engine that sees one line in every picture."""

    name, model, calls_at_once = "blind", "none", 1

    def warm_up(self) -> None:
        pass

    def read(self, rgb: NDArray[Any], options: ReadOptions) -> list[Line]:
        return [Line(((1.0, 1.0), (20.0, 1.0), (20.0, 9.0), (1.0, 9.0)), "line", 0.9)]

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def services(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Live[Any]]]:
    """All three, each alone: the backend's services answer nothing."""
    ocr = OcrSettings(data=tmp_path_factory.mktemp("ocr"), lanes=1)
    alone = BackendSettings(
        data=tmp_path_factory.mktemp("backend"), ocr_url=NOWHERE, inpaint_url=NOWHERE, patience_s=0.01
    )
    started: list[Live[Any]] = [Live(make_ocr(ocr, lambda *_, **__: Blind()), ocr), Live(make_backend(alone), alone)]
    for live in started:
        live.start()
        live.until_ready()
    yield {"ocr-service": started[0], "backend": started[1], "inpaint-service": serve()}
    for live in started:
        live.stop()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.mark.filterwarnings("ignore:Do not use the .random. module")  # the services do, in their own threads
@pytest.mark.parametrize("mode", EXAMPLES)
@pytest.mark.parametrize("name", SERVICES)
def test_every_answer_is_as_the_page_says(
    services: dict[str, Live[Any]], session: requests.Session, name: str, mode: GenerationMode
) -> None:
    live = services[name]
    page = schemathesis.openapi.from_dict(live.get("/openapi.json").json())
    asked = 0
    for found in page.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path in ENDLESS:
            continue
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue  # nothing can be wrong with any string in a path

        @seed(7)
        @settings(
            max_examples=EXAMPLES[mode],
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(base_url=live.url, session=session, checks=CHECKS)

        ask()
    assert asked >= 20


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in PICTURE_CALLS.items() for path in paths])
def test_the_example_on_the_page_works(services: dict[str, Live[Any]], name: str, path: str) -> None:
    live = services[name]
    described = live.get("/openapi.json").json()["paths"][path]["post"]
    example = described["requestBody"]["content"]["application/json"]["example"]
    answer = live.post(path, example)
    assert answer.is_success, answer.text
    told = described["responses"][str(answer.status_code)]["content"]
    assert answer.headers["content-type"].split(";")[0] in told


@pytest.mark.parametrize("name", SERVICES)
def test_every_call_says_how_it_fails(services: dict[str, Live[Any]], name: str) -> None:
    page = services[name].get("/openapi.json").json()
    assert {"type", "title", "status", "detail", "code"} <= page["components"]["schemas"]["Problem"][
        "properties"
    ].keys()
    for methods in page["paths"].values():
        for described in methods.values():
            assert {"4XX", "5XX"} <= described["responses"].keys()
            assert "HTTPValidationError" not in str(described)


def test_a_problem_is_as_its_schema_says(services: dict[str, Live[Any]]) -> None:
    live = services["inpaint-service"]
    answers: list[httpx.Response] = [live.get("/nothing"), live.post("/livez"), live.post("/api/v1/mask", {})]
    schema = live.get("/openapi.json").json()["components"]["schemas"]["Problem"]
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json().keys() >= set(schema["required"])
        assert answer.json()["status"] == answer.status_code
