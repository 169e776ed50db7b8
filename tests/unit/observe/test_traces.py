from __future__ import annotations

import sys

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import SpanKind, StatusCode

from bellwire.errors import Misconfigured
from bellwire.model.attempt import Attempt, AttemptOutcome, FailureCode
from bellwire.observe.traces import Traces, open_traces
from tests.doubles.attempts import A_SUBSCRIPTION, an_attempt

PUBLISHERS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Kept:
    """Traces whose spans stay in memory."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=ParentBased(sampler), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = Traces(provider, version="1.2")

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


def tried(failure: FailureCode | None = None) -> Attempt:
    attempt = an_attempt(7, uuid="n1", number=2, address="https://hooks.example.com/a?token=secret", status=200)
    if failure is None:
        return attempt
    changes = {"outcome": AttemptOutcome.FAILED, "failure": failure, "status": 503, "detail": "It said 503."}
    return msgspec.structs.replace(attempt, **changes)


def test_an_attempt_belongs_to_the_trace_of_its_publish_request_and_to_the_publishers_own() -> None:
    kept = Kept()

    with kept.traces.publishing(PUBLISHERS, "r-1") as span:
        span.answered(202)
    assert span.traceparent is not None
    kept.traces.attempted(tried(), span.traceparent)

    publish, attempt = kept.spans()["bellwire.publish"], kept.spans()["bellwire.attempt"]
    assert publish.context is not None
    assert attempt.context is not None
    assert publish.parent is not None
    assert attempt.parent is not None
    assert f"{publish.context.trace_id:032x}" == f"{attempt.context.trace_id:032x}" == PUBLISHERS.split("-")[1]
    assert f"{publish.parent.span_id:016x}" == PUBLISHERS.split("-")[2]
    assert attempt.parent.span_id == publish.context.span_id
    assert (publish.kind, attempt.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert publish.attributes == {"bellwire.request_id": "r-1", "http.response.status_code": 202}


def test_an_attempts_span_has_its_times_its_ids_and_no_secret_of_the_address() -> None:
    kept = Kept()

    kept.traces.attempted(tried(FailureCode.STATUS_5XX), PUBLISHERS)

    span = kept.spans()["bellwire.attempt"]
    assert (span.start_time, span.end_time) == (1_795_000_000_007_000_000, 1_795_000_000_008_500_000)
    assert span.attributes == {
        "bellwire.subscription_id": A_SUBSCRIPTION,
        "bellwire.notification_id": "n1",
        "bellwire.position": 7,
        "bellwire.attempt_number": 2,
        "bellwire.outcome": "failed",
        "server.address": "hooks.example.com",
        "http.response.status_code": 503,
        "error.type": "status_5xx",
    }
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "It said 503.")


def test_a_request_that_is_not_sampled_leaves_nothing_for_its_attempts() -> None:
    kept = Kept(ALWAYS_OFF)

    with kept.traces.publishing(None, None) as span:
        pass

    assert span.traceparent is None
    assert kept.spans() == {}


def test_the_publishers_decision_to_sample_counts() -> None:
    kept = Kept(ALWAYS_OFF)

    with kept.traces.publishing(PUBLISHERS, None) as span:
        pass

    assert span.traceparent is not None
    assert "bellwire.publish" in kept.spans()


@pytest.mark.parametrize("nonsense", ["", "00-xyz", "x" * 10_000])
def test_a_traceparent_that_makes_no_sense_begins_a_new_trace(nonsense: str) -> None:
    kept = Kept()

    with kept.traces.publishing(nonsense, None) as span:
        pass

    assert span.traceparent is not None
    assert kept.spans()["bellwire.publish"].parent is None


def test_a_request_that_breaks_is_an_error_in_its_span() -> None:
    kept = Kept()

    with pytest.raises(ZeroDivisionError), kept.traces.publishing(None, None):
        raise ZeroDivisionError

    assert kept.spans()["bellwire.publish"].status.status_code is StatusCode.ERROR


def test_without_the_extra_the_setting_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(
        Misconfigured, match=r"otel_endpoint: traces need the extra otel: pip install 'bellwire\[otel\]'"
    ):
        open_traces("http://127.0.0.1:4318", service="b", ratio=1.0, version="1")
