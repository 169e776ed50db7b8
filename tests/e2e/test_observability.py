"""What an operator sees of a running server: metrics, log lines, traces; all through real HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from bellwire.observe.logs import set_up_logs
from bellwire.testing.receiver import ReceivedRequest, Reply, WebhookReceiver
from tests.e2e.in_process import Running, running_server

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
OPT_OUTS = "/restapi/v1.0/account/400100/a2p-sms/opt-outs"
OPT_OUT = {"event": OPT_OUTS, "body": {"from": "+16505550180", "to": "+12015550111", "active": True}}


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All log lines from info on, as JSON."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    set_up_logs(level="info", json_lines=True, stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines_of(stream: io.StringIO, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in lines if line["event"] == event]


async def figures(running: Running) -> dict[tuple[str, str], float]:
    """Figures by name and the values of their labels."""
    text = (await running.http.get("/metrics")).text
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def figures_once(running: Running, name: str, value: float) -> dict[tuple[str, str], float]:
    """All figures, once the one of this name has that value."""
    async with asyncio.timeout(10):
        while (found := await figures(running))[name, ""] != value:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found


async def line_once(stream: io.StringIO, event: str) -> None:
    async with asyncio.timeout(10):
        while not lines_of(stream, event):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_the_documentation_names_every_metric_that_there_is_and_no_other(tmp_path: Path) -> None:
    named = set(re.findall(r"`(bellwire_[a-z_]+)`", OPERATIONS.read_text()))
    async with running_server(tmp_path) as running:
        text = (await running.http.get("/metrics")).text

    offered = set(re.findall(r"^# HELP (bellwire_\w+) ", text, re.MULTILINE))
    assert named == offered


async def test_metrics_follow_an_event_from_publish_to_delivery(tmp_path: Path) -> None:
    async with running_server(tmp_path) as running, WebhookReceiver() as receiver:
        await running.subscribe(receiver.url, OPT_OUTS)
        await running.publish(OPT_OUT, {**OPT_OUT, "uuid": "twice"}, {**OPT_OUT, "uuid": "twice"}, {"event": "/no"})
        await receiver.wait_for(2)
        found = await figures_once(running, "bellwire_end_to_end_seconds_count", 2)

    assert found["bellwire_events_published_total", "accepted"] == 2
    assert found["bellwire_events_published_total", "duplicate"] == 1
    assert found["bellwire_events_published_total", "rejected"] == 1
    assert found["bellwire_notifications_total", ""] == 2
    assert found["bellwire_publish_seconds_count", ""] == 1
    assert found["bellwire_log_commit_events_count", ""] == 1
    assert found["bellwire_log_commit_events_sum", ""] == 2
    assert found["bellwire_end_to_end_seconds_bucket", "5.0"] == 2
    assert found["bellwire_queue_depth", "append"] == 0


async def test_end_to_end_time_begins_when_the_event_was_handed_over_not_when_it_says_it_happened(
    tmp_path: Path,
) -> None:
    async with running_server(tmp_path) as running, WebhookReceiver() as receiver:
        await running.subscribe(receiver.url, OPT_OUTS)
        await running.publish({**OPT_OUT, "timestamp": "2020-01-01T00:00:00Z"})
        await receiver.wait_for(1)
        found = await figures_once(running, "bellwire_end_to_end_seconds_count", 1)

    assert found["bellwire_end_to_end_seconds_sum", ""] < 30


async def test_the_line_of_an_attempt_has_all_ids_and_the_publishers_request_id(
    tmp_path: Path, logged: io.StringIO
) -> None:
    async with running_server(tmp_path) as running, WebhookReceiver(answer=refuse) as receiver:
        subscription = await running.subscribe(receiver.url, OPT_OUTS)
        await running.publish({**OPT_OUT, "uuid": "e-1"}, RCRequestId="publish-77")
        await receiver.wait_for(1)
        await line_once(logged, "delivery.attempted")

    [line, *_] = lines_of(logged, "delivery.attempted")
    assert line["subscription_id"] == subscription["id"]
    assert (line["event_id"], line["notification_id"], line["account_id"]) == ("e-1", "e-1", "400100")
    assert (line["request_id"], line["position"], line["attempt_number"]) == ("publish-77", 1, 1)
    assert (line["status"], line["failure"], line["decision"]) == (503, "status_5xx", "failed")
    assert line["endpoint_host"] == f"127.0.0.1:{receiver.port}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", line["retry_at"])
    assert line["duration_ms"] > 0


async def test_a_request_id_outlives_a_restart_in_the_log(tmp_path: Path, logged: io.StringIO) -> None:
    async with WebhookReceiver(answer=refuse) as receiver:
        async with running_server(tmp_path) as running:
            await running.subscribe(receiver.url, OPT_OUTS)
            await running.publish(OPT_OUT, RCRequestId="publish-78")
            await receiver.wait_for(1)
        logged.seek(0)
        logged.truncate()
        async with running_server(tmp_path) as running:
            await line_once(logged, "delivery.attempted")

    assert lines_of(logged, "delivery.attempted")[0]["request_id"] == "publish-78"


async def test_lines_written_for_a_request_name_it_and_later_ones_do_not(tmp_path: Path, logged: io.StringIO) -> None:
    async with running_server(tmp_path) as running, WebhookReceiver() as receiver:
        answer = await running.http.post(
            "/restapi/v1.0/subscription",
            json={"eventFilters": [OPT_OUTS], "deliveryMode": {"transportType": "WebHook", "address": receiver.url}},
            headers={**await running.bearer(), "RCRequestId": "create-5"},
        )
        await running.publish({"event": "/nowhere", "body": {}}, RCRequestId="publish-79")

    assert answer.headers["RCRequestId"] == "create-5"
    assert [line["request_id"] for line in lines_of(logged, "subscription.created")] == ["create-5"]
    [rejected] = lines_of(logged, "events.published")
    assert (rejected["request_id"], rejected["rejected"]) == ("publish-79", 1)
    [stopped] = lines_of(logged, "server.stopped")
    assert "request_id" not in stopped


async def test_traces_go_to_the_collector_from_publish_to_attempt(tmp_path: Path) -> None:
    async with WebhookReceiver() as receiver, WebhookReceiver() as collector:
        collector.answer = lambda _request: Reply(headers=(("Content-Type", "application/x-protobuf"),))
        environment = {"BELLWIRE_OTEL_ENDPOINT": collector.url.removesuffix("/webhook"), "BELLWIRE_OTEL_SERVICE": "t"}
        async with running_server(tmp_path, environment=environment) as running:
            await running.subscribe(receiver.url, OPT_OUTS)
            await running.publish(OPT_OUT, RCRequestId="publish-80")
            await receiver.wait_for(1)
        await collector.wait_for(1)

    spans: dict[str, Any] = {}
    for request in collector.notifications:
        assert request.target == "/v1/traces"
        exported = ExportTraceServiceRequest.FromString(request.body)
        for resource in exported.resource_spans:
            names = {item.key: item.value.string_value for item in resource.resource.attributes}
            assert names["service.name"] == "t"
            spans |= {span.name: span for scope in resource.scope_spans for span in scope.spans}
    publish, attempt = spans["bellwire.publish"], spans["bellwire.attempt"]
    assert publish.trace_id == attempt.trace_id
    assert attempt.parent_span_id == publish.span_id
    assert "publish-80" in {item.value.string_value for item in publish.attributes}
    assert {item.key: item.value.string_value for item in attempt.attributes}["bellwire.outcome"] == "delivered"


def refuse(_request: ReceivedRequest) -> Reply:
    return Reply(status=503)
