"""The operator webhook: a few tries, then a line in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from structlog.testing import capture_logs

from bellwire.engine import operator_alerts
from bellwire.engine.operator_alerts import OperatorAlerts
from bellwire.model.attempt import AttemptResult, FailureCode
from bellwire.model.webhook import Answer, Endpoint
from tests.doubles.stepped_clock import SteppedClock

ENDPOINT = Endpoint("https", "operator.example.com", 443, "/alerts")
TAKEN = AttemptResult(None, 204, "", 0.01)
REFUSED = AttemptResult(FailureCode.STATUS_5XX, 500, "The endpoint failed to take it (status 500).", 0.01)


class ScriptedSender:
    """`WebhookSender` that answers with one result after the other, the last one for ever."""

    def __init__(self, *results: AttemptResult) -> None:
        self.results = list(results)
        self.bodies: list[bytes] = []

    def post(
        self, endpoint: Endpoint, head: bytes, body: bytes, done: Callable[[AttemptResult], None]
    ) -> Callable[[], None]:
        self.bodies.append(body)
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        asyncio.get_running_loop().call_soon(done, result)
        return lambda: None

    async def ask(self, endpoint: Endpoint, head: bytes, body: bytes, *, timeout_seconds: float) -> Answer:
        raise AssertionError("alerts are posted")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_alerts, "PAUSES_SECONDS", (0.0, 0.0, 0.0))


async def settle(alerts: OperatorAlerts) -> None:
    async with asyncio.timeout(20):
        while alerts.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_an_alert_is_posted_as_json_and_logged() -> None:
    sender = ScriptedSender(TAKEN)
    alerts = OperatorAlerts(sender=sender, endpoint=ENDPOINT, clock=SteppedClock(), user_agent="Bellwire")
    with capture_logs() as logs:
        alerts.tell("subscription.blacklisted", subscriptionId="s1", failures=3)
        await settle(alerts)
    assert [msgspec.json.decode(body) for body in sender.bodies] == [
        {
            "type": "subscription.blacklisted",
            "time": "2026-11-23T09:00:00.000Z",
            "subscriptionId": "s1",
            "failures": 3,
        }
    ]
    assert [(line["event"], line["log_level"]) for line in logs] == [("subscription.blacklisted", "warning")]


async def test_one_that_is_not_taken_is_tried_again_and_then_given_up_with_a_line_in_the_log() -> None:
    sender = ScriptedSender(REFUSED)
    alerts = OperatorAlerts(sender=sender, endpoint=ENDPOINT, clock=SteppedClock(), user_agent="Bellwire")
    with capture_logs() as logs:
        alerts.tell("subscription.failing")
        await settle(alerts)
    assert len(sender.bodies) == 4
    assert logs[-1]["event"] == "operator_webhook.given_up"
    assert logs[-1]["reason"] == REFUSED.detail


async def test_without_an_address_it_is_logged_alone() -> None:
    sender = ScriptedSender(TAKEN)
    alerts = OperatorAlerts(sender=sender, endpoint=None, clock=SteppedClock(), user_agent="Bellwire")
    with capture_logs() as logs:
        alerts.tell("subscription.failing", subscriptionId="s1")
    assert (alerts.waiting, sender.bodies, len(logs)) == (0, [], 1)


async def test_no_more_than_so_many_alerts_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_alerts, "MOST_WAITING", 2)
    sender = ScriptedSender(TAKEN)
    alerts = OperatorAlerts(sender=sender, endpoint=ENDPOINT, clock=SteppedClock(), user_agent="Bellwire")
    with capture_logs() as logs:
        for _ in range(3):
            alerts.tell("subscription.failing")
        await settle(alerts)
    assert len(sender.bodies) == 2
    assert [line["event"] for line in logs].count("operator_webhook.given_up") == 1
