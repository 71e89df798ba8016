"""A collector of OpenTelemetry's: an HTTP server that reads the spans it is sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Wire
from opentelemetry.proto.trace.v1.trace_pb2 import Status

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Told:
    """A span as it was sent; ids are hexadecimal, `parent` is empty where it has none."""

    service: str
    instance: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    failed: bool
    attributes: dict[str, Any]


class FakeCollector:
    """Listens while open, at a port of its own; `status` is what it answers."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.bodies: list[bytes] = []
        self.paths: set[str] = set()
        self._spans: list[Told] = []
        self._news = threading.Condition()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fake.take(self.path, body)
                self.send_response(fake.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, body: bytes) -> None:
        """Keep what was sent."""
        found = list(_read(body))
        with self._news:
            self.paths.add(path)
            self.bodies.append(body)
            self._spans += found
            self._news.notify_all()

    @property
    def spans(self) -> list[Told]:
        """What was told so far."""
        with self._news:
            return list(self._spans)

    def until(self, enough: Callable[[list[Told]], bool]) -> list[Told]:
        """Return all spans as soon as there are enough of them."""
        end = time.monotonic() + PATIENCE_S
        with self._news:
            while not enough(self._spans):
                told = sorted((span.service, span.name, span.trace) for span in self._spans)
                assert self._news.wait(max(0.0, end - time.monotonic())), told
            return list(self._spans)


def _read(body: bytes) -> Iterator[Told]:
    for of in ExportTraceServiceRequest.FromString(body).resource_spans:
        source = {pair.key: pair.value.string_value for pair in of.resource.attributes}
        for span in [span for scope in of.scope_spans for span in scope.spans]:
            yield Told(
                service=source["service.name"],
                instance=source["service.instance.id"],
                name=span.name,
                kind=Wire.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                trace=span.trace_id.hex(),
                id=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                failed=span.status.code == Status.STATUS_CODE_ERROR,
                attributes={pair.key: _value(pair.value) for pair in span.attributes},
            )


def _value(value: AnyValue) -> Any:
    return getattr(value, str(value.WhichOneof("value")))
