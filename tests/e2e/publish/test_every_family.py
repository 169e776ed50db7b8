"""Every family with its own sample: each template and alias, projections, derived topics, audience, flat envelopes."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import pytest_asyncio

from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.registry import filled, placeholders
from bellwire.model.subscription import SubscriptionApi
from bellwire.testing.receiver import ReceivedRequest, WebhookReceiver
from tests.e2e.in_process import Running, running_server
from tests.e2e.publish.publishing import body_of, event, published, uuids_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAMILIES = [family for family in REGISTRY.families if family.publishable]
SPELLINGS = [
    pytest.param(family, template, path, id=path)
    for family in FAMILIES
    for template in family.templates
    for path in (template.path, *template.aliases)
]
ACCOUNT, ADA, BEN, CHLOE, DARIO, EMI = "400100", "400101", "400102", "400103", "400104", "400105"
"""The demo company: Ada is who subscribes; she monitors Ben and Chloe, and has Ben and Emi among her favorites."""


@dataclass(frozen=True)
class Stage:
    running: Running
    receiver: WebhookReceiver

    async def subscribe(self, *filters: str, **more: Any) -> str:
        self.receiver.forget()
        created = await self.running.subscribe(self.receiver.url, *filters, **more)
        assert "disabledFilters" not in created, created
        return str(created["id"])

    async def unsubscribe(self, subscription: str, *, webinar: bool = False) -> None:
        path = "/webinar/notifications/v1/subscriptions" if webinar else "/restapi/v1.0/subscription"
        answer = await self.running.http.delete(f"{path}/{subscription}", headers=await self.running.bearer())
        assert answer.status_code == 204

    async def received_after(self, *events: bytes, expected: int) -> list[ReceivedRequest]:
        """Publish events and wait for what comes of them, which must be as many notifications as expected."""
        before = await self._notifications_made()
        await published(self.running, *events)
        received = await self.receiver.wait_for(expected)
        made = await self._notifications_made() - before
        assert made == expected
        return received

    async def _notifications_made(self) -> int:
        """By the router's count, once it has routed all that is in the log."""
        while True:
            ready = (await self.running.http.get("/bellwire/v1/ready")).json()
            if ready["routed"] == ready["logHead"]:
                break
        text = (await self.running.http.get("/metrics")).text
        found = re.search(r"^bellwire_notifications_total (\S+)$", text, re.MULTILINE)
        assert found is not None
        return int(float(found[1]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with running_server(tmp_path_factory.mktemp("families")) as running, WebhookReceiver() as receiver:
        yield Stage(running, receiver)


@pytest_asyncio.fixture(loop_scope="module")
async def stage(server: Stage) -> AsyncIterator[Stage]:
    """The module's server, with no subscription left behind by the test."""
    yield server
    for path in ("/restapi/v1.0/subscription", "/webinar/notifications/v1/subscriptions"):
        records = (await server.running.http.get(path, headers=await server.running.bearer())).json()["records"]
        for record in records:
            await server.unsubscribe(record["id"], webinar=path.startswith("/webinar"))


def path_of(template: Template, path: str, **ids: str) -> str:
    values = {name: template.path_values.get(name, ("1001",))[0] for name in placeholders(path)}
    return filled(path, {**values, "accountId": ACCOUNT, "extensionId": ADA, **ids})


def filter_of(template: Template, path: str, **ids: str) -> str:
    """A filter on the path that lets the sample through: what has to be written, and all projections."""
    query = "&".join(
        f"{parameter.name}={parameter.valid_value}"
        for parameter in template.parameters
        if parameter.required or parameter.fixed or parameter.role == "projection"
    )
    return path_of(template, path, **ids) + (f"?{query}" if query else "")


def sample_for(family: EventFamily, template: Template) -> Any:
    """The family's sample, without what no filter on this template can ask for."""
    if any(parameter.name == "sipData" for parameter in template.parameters):
        return family.sample
    return _without(family.sample, "sipData")


def _without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(part, name) for key, part in value.items() if key != name}
    return [_without(part, name) for part in value] if isinstance(value, list) else value


def odd(body: object) -> bytes:
    """The body with unknown fields and spellings that a writer of JSON would not choose."""
    raw = json.dumps(body, separators=(", ", " : ")).encode()
    return (
        raw[:-1] + ', "of tomorrow" : {"n" : [1.50, 1E+2, -0.0, 98765432109876543210], "s" : "\\u00e9é\\/"} }'.encode()
    )


@pytest.mark.parametrize(("family", "template", "path"), SPELLINGS)
async def test_sample_published_on_a_spelling_reaches_who_subscribed_to_any(
    stage: Stage, family: EventFamily, template: Template, path: str
) -> None:
    webinar = family.api is SubscriptionApi.WEBINAR
    account = {} if "{accountId}" in path else {"accountId": ACCOUNT}
    texts = [filter_of(template, spelling) for spelling in (template.path, *template.aliases)]
    stage.receiver.forget()
    ids = {await stage.subscribe(text, webinar=webinar): text for text in texts}
    body = odd(sample_for(family, template))

    received = await stage.received_after(event(path_of(template, path), body, **account), expected=len(texts))

    assert {request.json()["subscriptionId"]: request.json()["event"] for request in received} == ids
    for request in received:
        if family.is_flat:
            document = request.json()
            assert {name: document[name] for name in json.loads(body)} == json.loads(body)
        else:
            assert body_of(request) == body


async def test_each_familys_event_reaches_the_subscriptions_of_that_family_alone(stage: Stage) -> None:
    topics = {family.name: path_of(family.templates[0], family.templates[0].path) for family in FAMILIES}
    for family in FAMILIES:
        await stage.running.subscribe(
            f"{stage.receiver.url}/{family.name}",
            filter_of(family.templates[0], family.templates[0].path),
            webinar=family.api is SubscriptionApi.WEBINAR,
        )
    stage.receiver.forget()

    events = [
        event(topics[family.name], dict(family.sample), uuid=f"only-{family.name}", accountId=ACCOUNT)
        for family in FAMILIES
    ]
    received = await stage.received_after(*events, expected=len(FAMILIES))

    got = {request.target.rpartition("/")[2]: request.json()["uuid"] for request in received}
    assert got == {family.name: f"only-{family.name}" for family in FAMILIES}


class TestProjections:
    BODY = (
        b'{"extensionId":"400101", "sequence":7, "telephonyStatus":"CallConnected", "totalActiveCalls":1, "cost":1.50,'
        b' "activeCalls":[{"id":"c","direction":"Inbound","weight":2.0E+1,"sipData":{"toTag":"t","q":0.10}}],'
        b' "large":98765432109876543210}'
    )
    PRESENCE = f"/restapi/v1.0/account/{ACCOUNT}/extension/{ADA}/presence"

    async def body_for(self, stage: Stage, *filters: str) -> bytes:
        await stage.subscribe(*filters)
        (received,) = await stage.received_after(event(self.PRESENCE, self.BODY), expected=1)
        return body_of(received)

    async def test_plain_presence_is_without_active_calls_and_keeps_number_spellings(self, stage: Stage) -> None:
        body = await self.body_for(stage, self.PRESENCE)

        assert body == (
            b'{"extensionId":"400101","sequence":7,"telephonyStatus":"CallConnected","cost":1.50,'
            b'"large":98765432109876543210}'
        )

    async def test_detailed_presence_is_without_sip_data(self, stage: Stage) -> None:
        body = await self.body_for(stage, f"{self.PRESENCE}?detailedTelephonyState=true")

        assert b'"activeCalls":[{"id":"c","direction":"Inbound","weight":2.0E+1}]' in body
        assert b"sipData" not in body

    async def test_presence_with_sip_data_goes_out_as_it_was_published(self, stage: Stage) -> None:
        assert await self.body_for(stage, f"{self.PRESENCE}?sipData=true") == self.BODY

    async def test_of_several_filters_on_one_topic_the_most_detailed_is_sent_once(self, stage: Stage) -> None:
        detailed = f"{self.PRESENCE}?detailedTelephonyState=true&sipData=true"

        assert await self.body_for(stage, self.PRESENCE, detailed, f"{self.PRESENCE}?sipData=false") == self.BODY
        assert stage.receiver.notifications[0].json()["event"] == detailed

    async def test_a_switch_that_is_off_switches_nothing_on(self, stage: Stage) -> None:
        body = await self.body_for(stage, f"{self.PRESENCE}?detailedTelephonyState=false")

        assert b"activeCalls" not in body

    async def test_sip_data_of_a_session_is_for_those_who_asked(self, stage: Stage) -> None:
        sessions = f"/restapi/v1.0/account/{ACCOUNT}/telephony/sessions"
        plain, full = await stage.subscribe(sessions), await stage.subscribe(f"{sessions}?sipData=true")
        family = REGISTRY.by_name("telephony_session")
        assert family is not None
        body = odd(family.sample)

        received = await stage.received_after(event(sessions, body), expected=2)

        bodies = {request.json()["subscriptionId"]: body_of(request) for request in received}
        assert bodies[full] == body
        assert b"sipData" not in bodies[plain]
        assert b"1.50,1E+2,-0.0,98765432109876543210" in bodies[plain]


class TestDerivedTopics:
    async def test_presence_is_told_to_those_who_monitor_the_line_and_to_admirers(self, stage: Stage) -> None:
        base = f"/restapi/v1.0/account/{ACCOUNT}"
        line, favorite = f"{base}/extension/{ADA}/presence/line/presence", f"{base}/extension/{ADA}/favorite/presence"
        await stage.subscribe(line)
        await stage.subscribe(favorite)

        def presence_of(extension: str) -> bytes:
            body = {"extensionId": extension, "sequence": 1}
            return event(f"{base}/extension/{extension}/presence", body, uuid=f"of-{extension}")

        received = await stage.received_after(*map(presence_of, (ADA, BEN, CHLOE, DARIO, EMI)), expected=4)

        told = sorted((request.json()["event"], request.json()["body"]["extensionId"]) for request in received)
        assert told == [(favorite, BEN), (favorite, EMI), (line, BEN), (line, CHLOE)]

    async def test_an_event_published_on_a_derived_topic_is_announced_there_alone(self, stage: Stage) -> None:
        base = f"/restapi/v1.0/account/{ACCOUNT}"
        await stage.subscribe(f"{base}/presence", f"{base}/extension/{ADA}/presence")

        (received,) = await stage.received_after(
            event(f"{base}/presence", {"extensionId": ADA, "sequence": 1}), expected=1
        )

        assert received.json()["event"] == f"{base}/presence"

    async def test_the_second_notification_of_one_event_has_a_uuid_derived_from_the_first(self, stage: Stage) -> None:
        base = f"/restapi/v1.0/account/{ACCOUNT}"
        first, second = f"{base}/extension/{BEN}/presence", f"{base}/presence"
        both, only_second = await stage.subscribe(second, first), await stage.subscribe(second)

        received = await stage.received_after(
            event(first, {"extensionId": BEN, "sequence": 1}, uuid="twice-told"), expected=3
        )

        by_place = {(r.json()["subscriptionId"], r.json()["event"]): r.json()["uuid"] for r in received}
        assert by_place[both, first] == "twice-told"
        assert by_place[only_second, second] == "twice-told"
        assert re.fullmatch("[0-9a-f]{32}", by_place[both, second])

    async def test_a_filter_that_does_not_match_the_first_topic_does_not_change_the_uuid(self, stage: Stage) -> None:
        base = f"/restapi/v1.0/account/{ACCOUNT}"
        family = REGISTRY.by_name("telephony_session")
        assert family is not None
        of_extension = f"{base}/extension/{BEN}/telephony/sessions"
        await stage.subscribe(f"{of_extension}?direction=Outbound", f"{base}/telephony/sessions?direction=Inbound")

        (received,) = await stage.received_after(event(of_extension, dict(family.sample), uuid="once-told"), expected=1)

        assert received.json()["uuid"] == "once-told"


class TestAudience:
    POSTS = "/team-messaging/v1/posts"

    def post(self, uuid: str, **more: Any) -> bytes:
        family = REGISTRY.by_name("team_post")
        assert family is not None
        return event(self.POSTS, dict(family.sample), uuid=uuid, accountId=ACCOUNT, **more)

    async def test_only_extensions_of_the_audience_are_told(self, stage: Stage) -> None:
        await stage.subscribe(self.POSTS)

        received = await stage.received_after(
            self.post("for-ben", audience=[BEN]),
            self.post("for-nobody", audience=[]),
            self.post("for-both", audience=[BEN, ADA]),
            self.post("for-all"),
            expected=2,
        )

        assert sorted(uuids_of(received)) == ["for-all", "for-both"]


async def test_a_flat_notification_has_its_fields_beside_the_envelopes_which_win(stage: Stage) -> None:
    family = REGISTRY.by_name("missed_call")
    assert family is not None
    topic = path_of(family.templates[0], family.templates[0].path)
    subscription = await stage.subscribe(topic)
    body = odd({**family.sample, "uuid": "of the body", "event": "of the body", "subscriptionId": "of the body"})

    (received,) = await stage.received_after(event(topic, body, uuid="flat-1"), expected=1)

    document = received.json()
    assert (document["uuid"], document["event"], document["subscriptionId"]) == ("flat-1", topic, subscription)
    assert "body" not in document
    assert document.keys() >= family.sample.keys()
    assert b'{"n" : [1.50, 1E+2, -0.0, 98765432109876543210], "s" : "\\u00e9' in received.body
    assert received.body.count(b'"uuid"') == 1


class TestDirectionOfTheMessageStore:
    """The published body has no field for it, so the publisher may state it in the query of `event`."""

    TOPIC = f"/restapi/v1.0/account/{ACCOUNT}/extension/{ADA}/message-store"
    BODY: ClassVar = {
        "lastUpdated": "2026-03-02T09:15:04.300Z",
        "changes": [{"type": "SMS", "newCount": 1, "updatedCount": 0}],
    }

    async def test_what_the_publisher_stated_is_compared(self, stage: Stage) -> None:
        await stage.subscribe(f"{self.TOPIC}?direction=Inbound&type=SMS")

        received = await stage.received_after(
            event(f"{self.TOPIC}?direction=Outbound", self.BODY, uuid="stated-out"),
            event(f"{self.TOPIC}?direction=Inbound", self.BODY, uuid="stated-in"),
            event(self.TOPIC, {**self.BODY, "direction": "Outbound"}, uuid="written-out"),
            event(self.TOPIC, {**self.BODY, "direction": "Inbound"}, uuid="written-in"),
            event(self.TOPIC, self.BODY, uuid="unsaid"),
            expected=3,
        )

        assert sorted(uuids_of(received)) == ["stated-in", "unsaid", "written-in"]
