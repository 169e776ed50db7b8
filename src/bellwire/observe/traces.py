"""OpenTelemetry traces, from the publish request to each attempt. Off unless configured, and then without any cost.

    (the publisher's span) ──▶ bellwire.publish ──┬──▶ bellwire.attempt   first try, to one subscription
                                                  ├──▶ bellwire.attempt   its second
                                                  └──▶ …

The events of a request carry its span as a W3C `traceparent`, through the log too, so that an attempt after a restart
belongs to the same trace. A request that is not sampled leaves none, and its attempts are not traced.

The SDK is an extra (`pip install bellwire[otel]`) and is imported only when traces are switched on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from bellwire.errors import Misconfigured, Problem
from bellwire.model.attempt import Attempt, AttemptOutcome

SPAN_OF_A_REQUEST = "bellwire.publish"
SPAN_OF_AN_ATTEMPT = "bellwire.attempt"
EXPORT_SECONDS = 5.0
_NANOSECONDS_OF_A_MILLISECOND = 1_000_000


class Traces:
    """Makes spans. `provider` is the SDK's `TracerProvider`; its types stay in here, since the SDK may be absent."""

    def __init__(self, provider: Any, *, version: str) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - an extra
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - an extra
            TraceContextTextMapPropagator,
        )

        self._provider = provider
        self._api = trace
        self._propagator = TraceContextTextMapPropagator()
        self._tracer = provider.get_tracer("bellwire", version)

    @contextmanager
    def publishing(self, traceparent: str | None, request_id: str | None) -> Iterator[PublishSpan]:
        """A span around a publish request, below the publisher's own where it sent one."""
        span = self._tracer.start_span(
            SPAN_OF_A_REQUEST,
            context=self._context(traceparent),
            kind=self._api.SpanKind.SERVER,
            attributes={} if request_id is None else {"bellwire.request_id": request_id},
        )
        context = span.get_span_context()
        carrier = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
        try:
            yield PublishSpan(span, carrier if context.trace_flags.sampled else None)
        except BaseException as error:
            span.record_exception(error)
            span.set_status(self._api.StatusCode.ERROR)
            raise
        finally:
            span.end()

    def attempted(self, attempt: Attempt, traceparent: str) -> None:
        """A span for an attempt that is over."""
        begun = attempt.started_ms * _NANOSECONDS_OF_A_MILLISECOND
        span = self._tracer.start_span(
            SPAN_OF_AN_ATTEMPT,
            context=self._context(traceparent),
            kind=self._api.SpanKind.CLIENT,
            start_time=begun,
            attributes=_attributes_of(attempt),
        )
        if attempt.outcome is not AttemptOutcome.DELIVERED:
            span.set_status(self._api.StatusCode.ERROR, attempt.detail)
        span.end(begun + attempt.duration_us * 1000)

    def close(self) -> None:
        """Send what waits, for a bounded time; blocks."""
        self._provider.shutdown()

    def _context(self, traceparent: str | None) -> Any:
        return self._propagator.extract({} if traceparent is None else {"traceparent": traceparent})


class PublishSpan:
    """`traceparent`: what the request's events carry; None where the request is not sampled."""

    def __init__(self, span: Any, traceparent: str | None) -> None:
        self._span = span
        self.traceparent = traceparent

    def answered(self, status: int) -> None:
        self._span.set_attribute("http.response.status_code", status)


def open_traces(endpoint: str, *, service: str, ratio: float, version: str) -> Traces:
    """Traces that go to an OTLP/HTTP collector, in batches, from a thread of the SDK.

    Args:
        endpoint: base URL of the collector; `/v1/traces` is added.
        ratio: of requests that are traced, 0 to 1, where the publisher did not decide.

    Raises:
        Misconfigured: the SDK is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415 - an extra
    except ImportError as missing:
        raise Misconfigured(
            (Problem("otel_endpoint", f"traces need the extra otel: pip install 'bellwire[otel]' ({missing})"),)
        ) from missing
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(ratio)),
        resource=Resource.create({"service.name": service, "service.version": version}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider, version=version)


def _attributes_of(attempt: Attempt) -> Mapping[str, str | int]:
    attributes: dict[str, str | int] = {
        "bellwire.subscription_id": attempt.subscription,
        "bellwire.notification_id": attempt.uuid,
        "bellwire.position": attempt.position,
        "bellwire.attempt_number": attempt.number,
        "bellwire.outcome": attempt.outcome.value,
        "server.address": urlsplit(attempt.address).hostname or "",
    }
    if attempt.status:
        attributes["http.response.status_code"] = attempt.status
    if attempt.failure is not None:
        attributes["error.type"] = attempt.failure.value
    return attributes
