"""Export spans over OTLP/HTTP. Whoever imports this loads OpenTelemetry's SDK: do it only where an endpoint is configured."""

import threading
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

REQUEST_SECONDS = 5.0
CLOSING_SECONDS = 2.0
DELAY_MS = 1000
QUEUE = 2048  # spans; what comes when it is full pushes the oldest out


class Spans:
    """Implements `stream.ports.Spans`: a queue, and a thread that empties it. A collector that is away costs its spans."""

    def __init__(self, endpoint: str, service: str, instance: str, version: str) -> None:
        """`endpoint`: the collector's address without a path. Nothing is connected yet."""
        names = {"service.name": service, "service.instance.id": instance, "service.version": version}
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=REQUEST_SECONDS)
        self._provider = TracerProvider(ALWAYS_ON, Resource(names), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, QUEUE, DELAY_MS))
        self._tracer = self._provider.get_tracer("tripcast", version)

    def add(self, name: str, traceparent: str, ns: tuple[int, int], attributes: Mapping[str, str | int]) -> None:
        """A span from `ns[0]` to `ns[1]`, nanoseconds since 1970, below the one that the (valid) header names."""
        span = self._tracer.start_span(name, _below(traceparent), SpanKind.CONSUMER, attributes, start_time=ns[0])
        span.end(ns[1])

    def close(self) -> None:
        """Send what is queued, for a few seconds at most: the exporter itself may wait for half a minute."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSING_SECONDS)


def _below(traceparent: str) -> Context:
    _, trace, parent, flags = traceparent.split("-")
    numbers = int(trace, 16), int(parent, 16)
    remote = SpanContext(*numbers, is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(remote), Context())
