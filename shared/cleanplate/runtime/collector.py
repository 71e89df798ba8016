"""The way to a collector: spans over OpenTelemetry's SDK. Imported only where a setting names a collector.

One that is away, or slow, holds up nobody: spans wait in a bounded queue, and those that do not fit are dropped.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cleanplate import __version__
from cleanplate.runtime import logs
from cleanplate.runtime.traces import ERROR, Kind, Span

log = logging.getLogger(__name__)

QUEUE, BATCH = 4096, 512
PAUSE_S = 1.0
EXPORT_S = 5.0
FLUSH_S = 3.0


class Collector:
    """See `Recorder`.

    Args:
        service: whose spans they are.
        endpoint: the collector's address for OTLP over HTTP, without a path.
        ratio: which share of the traces that begin here is kept; of others it is decided where they begin.
    """

    def __init__(self, service: str, endpoint: str, ratio: float):
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it tells of each batch that it cannot send
        names = {"service.name": service, "service.namespace": "cleanplate", "service.version": __version__}
        instance = {"service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
        self._provider = TracerProvider(
            ParentBasedTraceIdRatio(ratio), Resource.create(names | instance), shutdown_on_exit=False
        )
        self._exporter = _Exporter(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_S))
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter, QUEUE, PAUSE_S * 1000, BATCH))
        self._tracer = self._provider.get_tracer("cleanplate", __version__)

    @contextmanager
    def recorded(self, span: Span, kind: Kind) -> Iterator[None]:
        known = TraceContextTextMapPropagator().extract({"traceparent": logs.traceparent.get()}, Context())
        begun = self._tracer.start_span(span.name, known, trace.SpanKind[kind.upper()])
        outer = logs.traceparent.set(_traceparent(begun.get_span_context()))
        try:
            yield
        finally:
            logs.traceparent.reset(outer)
            begun.update_name(span.name)
            begun.set_attributes(span.attributes)
            if ERROR in span.attributes:
                begun.set_status(trace.StatusCode.ERROR)
            begun.end()

    def close(self) -> None:
        if self._exporter.away:
            self._exporter.shutdown()  # what is left is not sent
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(FLUSH_S)
        if ending.is_alive():
            self._exporter.tell(away=True)


class _Exporter(SpanExporter):
    """Sends spans, and says once that they are lost, and once that they are no longer."""

    def __init__(self, inner: SpanExporter):
        self.away = False
        self._inner = inner
        self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        self.tell(away=result is not SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        if not self._closed:
            self._closed = True
            self._inner.shutdown()

    def tell(self, *, away: bool) -> None:
        """Log a change."""
        if away and not self.away:
            log.warning("the collector of traces does not take them, they are dropped until it does")
        elif self.away and not away:
            log.warning("the collector of traces takes them again")
        self.away = away


def _traceparent(span: trace.SpanContext) -> str:
    return f"00-{trace.format_trace_id(span.trace_id)}-{trace.format_span_id(span.span_id)}-{span.trace_flags:02x}"
