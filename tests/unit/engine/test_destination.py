"""A webhook subscription as its deliveries see it: head, secrets, envelope and uuid of each notification."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from bellwire.delivery.notification import Notification
from bellwire.engine.destination import Rendering, WebhookDestination
from bellwire.engine.envelope import derived_uuid
from bellwire.engine.route import Announcements
from bellwire.model.event import Event
from bellwire.model.ids import AccountId, ExtensionId, Position
from bellwire.model.subscription import FilterVersion, WebhookDelivery
from bellwire.model.webhook import Endpoint
from bellwire.ports.delivery_control import Subscriber
from tests.doubles.identity import MemoryIdentity, MemoryInstallation
from tests.doubles.stepped_clock import SteppedClock
from tests.doubles.subscriptions import a_subscription

ACCOUNT = "/restapi/v1.0/account/1"
OF_EXTENSION, OF_ACCOUNT = f"{ACCOUNT}/extension/11/telephony/sessions", f"{ACCOUNT}/telephony/sessions"
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
INSTALLATION = MemoryInstallation()


def a_destination(*filters: str, **webhook: Any) -> WebhookDestination:
    return of_versions([filters], **webhook)


def of_versions(versions: list[tuple[str, ...]], **webhook: Any) -> WebhookDestination:
    record = a_subscription(
        versions=tuple(
            FilterVersion(version=number, filters=filters, from_position=Position(0))
            for number, filters in enumerate(versions, 1)
        ),
        webhook=WebhookDelivery(address="https://receiver.example.com:8443/hook?a=b", **webhook),
        owner_id=ExtensionId("11"),
    )
    rendering = Rendering(
        announcements=Announcements(MemoryIdentity()),
        installation=INSTALLATION,
        clock=SteppedClock(),
        user_agent="Bellwire-Webhook/1",
    )
    return WebhookDestination(Subscriber(record), rendering)


def a_session(direction: str = "Inbound") -> Event:
    body = {
        "sequence": 1,
        "telephonySessionId": "s-1",
        "eventTime": "2026-03-02T11:00:02.500Z",
        "parties": [{"id": "p", "direction": direction, "status": {"code": "Answered"}}],
    }
    return Event(
        account=AccountId("1"),
        uuid="u-1",
        chosen=True,
        topic=OF_EXTENSION,
        timestamp_ms=0,
        body=json.dumps(body).encode(),
    )


def asked(
    destination: WebhookDestination,
    topic: str,
    *,
    version: int = 1,
    index: int = 0,
    event: Event | None = None,
    further: bool | None = None,
) -> tuple[str, dict[str, str], dict[str, Any]]:
    """The uuid, the head's lines and the document of one notification."""
    notification = Notification(Position(1), topic, "k", version, index, None, 0, 0.0, further=further)
    uuid, head, body = destination.request(notification, event or a_session())
    request_line, *lines = head.decode().removesuffix("\r\n").split("\r\n")
    headers = {"": request_line, **{name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}}
    return uuid, headers, json.loads(body)


class TestHead:
    def test_it_names_the_address_and_who_asks(self) -> None:
        destination = a_destination(OF_EXTENSION)
        _, headers, _ = asked(destination, OF_EXTENSION)

        assert destination.endpoint == Endpoint("https", "receiver.example.com", 8443, "/hook?a=b")
        assert headers[""] == "POST /hook?a=b HTTP/1.1"
        assert headers["host"] == "receiver.example.com:8443"
        assert headers["user-agent"] == "Bellwire-Webhook/1"
        assert headers["content-type"] == "application/json; charset=UTF-8"

    def test_without_secrets_there_is_no_trace_of_them(self) -> None:
        _, headers, _ = asked(a_destination(OF_EXTENSION), OF_EXTENSION)

        assert not {"verification-token", "validation-token", "webhook-signature"} & headers.keys()

    def test_52_the_verification_token_goes_out_as_such(self) -> None:
        destination = a_destination(OF_EXTENSION, verification_token_sealed=INSTALLATION.seal("the-token"))
        _, headers, _ = asked(destination, OF_EXTENSION)

        assert headers["verification-token"] == "the-token"
        assert "validation-token" not in headers

    def test_the_signature_is_one_that_receivers_libraries_verify(self, monkeypatch: pytest.MonkeyPatch) -> None:
        destination = a_destination(OF_EXTENSION, signing_secret_sealed=INSTALLATION.seal(SECRET))
        notification = Notification(Position(1), OF_EXTENSION, "k", 1, 0, None, 0, 0.0)
        _, head, body = destination.request(notification, a_session())
        lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, value in lines}

        assert headers["webhook-id"] == "u-1"
        assert headers["webhook-timestamp"] == str(SteppedClock().now_ms() // 1000)
        # The library compares with its own clock: told ours by leaving that check to the line above.
        monkeypatch.setattr(Webhook, "_Webhook__verify_timestamp", lambda _self, header: SteppedClock().now())
        Webhook(SECRET).verify(body, headers)
        with pytest.raises(Exception, match="signature"):
            Webhook(SECRET).verify(body + b" ", headers)


class TestEnvelope:
    def test_the_filter_that_matched_is_repeated(self) -> None:
        filters = (OF_ACCOUNT, f"{OF_EXTENSION}?direction=Inbound&sipData=true")
        _, _, document = asked(a_destination(*filters), OF_EXTENSION, index=1)

        assert document["event"] == filters[1]
        assert document["ownerId"] == "11"

    def test_a_notification_from_the_backlog_is_rendered_for_the_version_it_matched(self) -> None:
        destination = of_versions([(OF_EXTENSION,), (OF_ACCOUNT, f"{OF_EXTENSION}?direction=Inbound")])

        assert asked(destination, OF_EXTENSION, version=1)[2]["event"] == OF_EXTENSION
        assert asked(destination, OF_EXTENSION, version=2, index=1)[2]["event"] == f"{OF_EXTENSION}?direction=Inbound"
        assert asked(destination, OF_EXTENSION, version=1)[2]["event"] == OF_EXTENSION


class TestUuid:
    @pytest.mark.parametrize(("further", "uuid"), [(True, derived_uuid("u-1", OF_ACCOUNT)), (False, "u-1")])
    def test_it_is_as_was_decided_when_it_was_routed(self, further: bool, uuid: str) -> None:
        assert asked(a_destination(OF_ACCOUNT), OF_ACCOUNT, further=further)[0] == uuid
        assert asked(a_destination(OF_ACCOUNT, OF_EXTENSION), OF_ACCOUNT, further=further)[0] == uuid


class TestUuidOfRowsThatDoNotSay:
    """Routed by a release that did not write down whether it is the subscription's first notification of the event."""

    def test_it_is_the_events_on_the_published_topic(self) -> None:
        assert asked(a_destination(OF_ACCOUNT, OF_EXTENSION), OF_EXTENSION, index=1)[0] == "u-1"

    def test_it_is_the_events_on_a_derived_topic_where_the_subscription_gets_it_there_alone(self) -> None:
        assert asked(a_destination(OF_ACCOUNT), OF_ACCOUNT)[0] == "u-1"
        assert asked(a_destination(OF_ACCOUNT, f"{ACCOUNT}/presence"), OF_ACCOUNT)[0] == "u-1"
        assert asked(a_destination(OF_ACCOUNT, f"{OF_ACCOUNT}?direction=Inbound"), OF_ACCOUNT)[0] == "u-1"

    def test_it_is_derived_where_the_subscription_got_it_on_an_earlier_topic(self) -> None:
        uuid, headers, document = asked(
            a_destination(OF_ACCOUNT, OF_EXTENSION, signing_secret_sealed=INSTALLATION.seal(SECRET)), OF_ACCOUNT
        )

        assert uuid == document["uuid"] == headers["webhook-id"] == derived_uuid("u-1", OF_ACCOUNT)

    @pytest.mark.parametrize(("direction", "derived"), [("Inbound", True), ("Outbound", False)])
    def test_an_earlier_topic_counts_only_where_its_predicates_match(self, direction: str, derived: bool) -> None:
        destination = a_destination(OF_ACCOUNT, f"{OF_EXTENSION}?direction=Inbound")
        uuid, _, _ = asked(destination, OF_ACCOUNT, event=a_session(direction))

        assert (uuid != "u-1") is derived

    def test_it_is_the_same_at_every_attempt_and_from_disk(self) -> None:
        destination = a_destination(OF_ACCOUNT, OF_EXTENSION)
        from_disk = msgspec.structs.replace(a_session(), facts=None)

        assert len({asked(destination, OF_ACCOUNT, event=event)[0] for event in (a_session(), from_disk)}) == 1
