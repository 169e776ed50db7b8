"""Why an event filter does or does not match an event: made-up events, logged events, and agreement with routing."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bellwire.engine.explain import Asker, explain_logged, explain_made_up
from bellwire.engine.route import Announcements
from bellwire.engine.subscribe_live import parse_stored
from bellwire.engine.subscribers import Subscribers
from bellwire.errors import Forbidden, InvalidRequest
from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, Role, Template
from bellwire.families.registry import placeholders
from bellwire.filters import Explanation, ReasonKind, parse_topic, rows_with_stated
from bellwire.model.directory import Account, Extension, Status
from bellwire.model.event import Event, LoggedEvent
from bellwire.model.ids import AccountId, ExtensionId, Position
from bellwire.model.subscription import DisabledFilter, FilterVersion, Subscription
from tests.doubles.identity import MemoryIdentity
from tests.doubles.subscriptions import a_subscription

ACCOUNT, OTHER_ACCOUNT = AccountId("1"), AccountId("2")
ALICE, BOB = ExtensionId("11"), ExtensionId("12")
USER = Asker(account=ACCOUNT, extension=ALICE, is_bound=True)
KEY = Asker(account=None, extension=None, is_bound=False)
MESSAGES = "/restapi/v1.0/account/1/a2p-sms/messages"
PRESENCE_OF_BOB = "/restapi/v1.0/account/1/extension/12/presence"


class Company(MemoryIdentity):
    """Bob's line is monitored by Alice, who is among Bob's favorites."""

    def __init__(self) -> None:
        super().__init__()
        self._accounts[ACCOUNT] = Account(id=ACCOUNT, company_name="Tern")
        self._accounts[OTHER_ACCOUNT] = Account(id=OTHER_ACCOUNT, company_name="Plover")
        closed = AccountId("4")
        self._accounts[closed] = Account(id=closed, company_name="Skua", status=Status.DISABLED)
        for id_, lines, favorites in ((ALICE, (BOB,), ()), (BOB, (), (ALICE,))):
            self._extensions[id_] = Extension(
                id=id_,
                account_id=ACCOUNT,
                extension_number=id_,
                first_name=id_,
                monitored_lines=lines,
                favorites=favorites,
            )


COMPANY = Company()


def made_up(filter_text: str, event: object, asker: Asker = USER) -> Explanation:
    return explain_made_up(
        filter_text, json.dumps(event).encode(), asker=asker, directory=COMPANY, max_event_bytes=1000
    )


def refused(filter_text: str, event: object, asker: Asker = USER) -> tuple[str, str | None, str]:
    with pytest.raises(InvalidRequest) as raised:
        made_up(filter_text, event, asker)
    entry = raised.value.entries[0]
    return entry.code, entry.parameter, entry.message


def test_a_body_may_be_partial_and_what_a_predicate_misses_is_said() -> None:
    wanted = f"{MESSAGES}?direction=Inbound&to=%2B16505550180"

    said = made_up(wanted, {"event": MESSAGES, "body": {"to": ["+16505550180"]}})

    (reason,) = said.reasons
    assert (reason.kind, reason.parameter) == (ReasonKind.MISSING, "direction")
    assert reason.message == "direction: the filter wants Inbound; the body leaves it out"
    assert [reason.parameter for reason in made_up(wanted, {"event": MESSAGES}).reasons] == ["direction", "to"]
    assert made_up(wanted, {"event": MESSAGES, "body": {"direction": "Inbound", "to": ["+16505550180"]}}).matches


def test_what_the_query_of_the_event_states_counts_where_the_body_leaves_it_out() -> None:
    assert made_up(f"{MESSAGES}?direction=Inbound", {"event": f"{MESSAGES}?direction=Inbound"}).matches
    assert not made_up(
        f"{MESSAGES}?direction=Inbound", {"event": f"{MESSAGES}?direction=Inbound", "body": {"direction": "Outbound"}}
    ).matches


def test_tilde_is_the_asker_and_a_key_has_the_account_but_no_extension() -> None:
    event = {"event": "/restapi/v1.0/account/1/extension/11/presence"}
    own = "/restapi/v1.0/account/~/extension/~/presence"

    assert made_up(own, event).matches
    assert made_up(own, event, Asker(account=None, extension=ALICE, is_bound=False)).matches
    assert made_up("/restapi/v1.0/account/~/presence", event, KEY).matches
    code, field, message = refused(own, event, KEY)
    assert (code, field) == ("CMN-101", "filter")
    assert "publisher key has none" in message


def test_a_key_for_all_accounts_may_ask_about_any_and_others_about_their_own_alone() -> None:
    foreign = "/restapi/v1.0/account/2/presence"
    event = {"event": PRESENCE_OF_BOB}

    (reason,) = made_up(foreign, event, KEY).reasons

    assert (reason.kind, reason.wanted, reason.found) == (ReasonKind.ACCOUNT, ("2",), ("1",))
    for asker in (USER, Asker(account=ACCOUNT, extension=None, is_bound=True)):
        with pytest.raises(Forbidden) as raised:
            made_up(foreign, event, asker)
        assert (raised.value.code, raised.value.entries[0].parameter) == ("SUB-406", "filter")


def test_tilde_of_a_key_is_its_default_account_before_the_events() -> None:
    clerk = Asker(account=ACCOUNT, extension=None, is_bound=False)
    own, foreign = "/restapi/v1.0/account/~/presence", {"event": "/restapi/v1.0/account/2/presence"}

    (reason,) = made_up(own, foreign, clerk).reasons

    assert (reason.kind, reason.wanted, reason.found) == (ReasonKind.ACCOUNT, ("1",), ("2",))
    assert made_up(own, foreign, KEY).matches


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("/team-messaging/v1/posts", {}),
        ("/restapi/v1.0/glip/webhooks", {}),
        ("/restapi/v1.0/account/1/extension/11/presence/line", {"extension": {"telephonyStatus": "Ringing"}}),
        ("/restapi/v1.0/account/1/extension/11/presence/line", {"extension": [{}]}),
    ],
    ids=str,
)
def test_a_body_of_several_forms_may_leave_out_what_tells_them_apart(topic: str, body: dict[str, Any]) -> None:
    assert made_up(topic, {"event": topic, "accountId": "1", "body": body}).matches


def test_who_monitors_whom_is_not_told_to_another_account() -> None:
    stranger = Asker(account=OTHER_ACCOUNT, extension=ExtensionId("21"), is_bound=True)

    said = made_up("/restapi/v1.0/account/~/presence", {"event": PRESENCE_OF_BOB}, stranger)

    assert "/extension/11/" not in str(said)


@pytest.mark.parametrize(
    ("event", "field", "says"),
    [
        ({"event": "/restapi/v1.0/nonsense"}, "event.event", "did you mean"),
        ({"body": {}}, "event", "missing required field `event`"),
        ({"event": MESSAGES, "colour": 1}, "event", "unknown field `colour`"),
        ({"event": MESSAGES, "body": []}, "event.body", "has to be a JSON object"),
        ({"event": MESSAGES, "body": {"direction": "Inbond"}}, "event.body.direction", "'Inbound' or 'Outbound'"),
        ({"event": MESSAGES, "body": {"to": "+16505550180"}}, "event.body.to", "valid array"),
        ({"event": MESSAGES, "body": {"to": ["16505550180"]}}, "event.body.to.0", "pattern"),
        ({"event": MESSAGES, "body": {"text": "x" * 2000}}, "event.body", "at most 1000"),
        ({"event": PRESENCE_OF_BOB + "/line", "body": {"extension": "12"}}, "event.body.extension", "valid"),
        ({"event": MESSAGES, "audience": ["?"]}, "event.audience", "extension ids"),
        ({"event": MESSAGES, "accountId": "2"}, "event.accountId", "the event's path says 1"),
        ({"event": MESSAGES, "uuid": "order 7"}, "event.uuid", "1 to 64 characters"),
        ({"event": MESSAGES, "timestamp": "yesterday"}, "event.timestamp", "ISO 8601"),
        ({"event": "/webinar/configuration/v1/company/sessions"}, "event.accountId", "accountId is missing"),
    ],
    ids=str,
)
def test_a_wrong_event_is_refused_with_the_field_and_the_reason(event: dict[str, Any], field: str, says: str) -> None:
    code, parameter, message = refused(MESSAGES, event, KEY)

    assert (code, parameter) == ("CMN-101", field)
    assert says in message


@pytest.mark.parametrize(
    ("account", "code", "says"), [("3", "CMN-102", "account 3 is not found"), ("4", "CMN-109", "account 4 is disabled")]
)
def test_an_account_that_nothing_is_published_in_is_refused_and_not_told_to_other_accounts(
    account: str, code: str, says: str
) -> None:
    topic = f"/restapi/v1.0/account/{account}/a2p-sms/messages"

    found, field, message = refused(topic, {"event": topic}, KEY)

    assert (found, field) == (code, "event.event")
    assert says in message
    (reason,) = made_up(MESSAGES, {"event": topic}, USER).reasons
    assert reason.kind is ReasonKind.ACCOUNT


def test_a_filter_that_nobody_could_subscribe_to_is_an_error_with_a_suggestion() -> None:
    code, field, message = refused(MESSAGES + "?direction=Inbond", {"event": MESSAGES})

    assert (code, field) == ("SUB-508", "filter")
    assert "did you mean Inbound ?" in message


def test_a_recorded_notification_of_a_flat_family_is_read_as_when_publishing() -> None:
    flat = next(family for family in REGISTRY.families if family.is_flat and family.publishable)
    topic = concrete(flat.templates[0], ACCOUNT)

    assert made_up(topic, {"event": topic, "accountId": ACCOUNT, **flat.sample}).matches


# Logged events


def logged(topic: str, body: dict[str, Any], position: int = 10, **more: Any) -> LoggedEvent:
    event = Event(
        account=more.pop("account", ACCOUNT),
        uuid="u",
        chosen=False,
        topic=topic,
        timestamp_ms=0,
        body=msgspec.json.encode(body),
        **more,
    )
    return LoggedEvent(Position(position), event)


def message_body(**changes: Any) -> dict[str, Any]:
    family = REGISTRY.by_name("a2p_message")
    assert family is not None
    return {**family.sample, **changes}


def a_version(number: int, start: int, end: int | None, *filters: str) -> FilterVersion:
    return FilterVersion(
        version=number,
        filters=filters,
        from_position=Position(start),
        until_position=None if end is None else Position(end),
    )


def test_a_subscription_is_judged_by_the_filters_in_force_at_the_event() -> None:
    subscription = a_subscription(
        versions=(
            a_version(1, 5, 9, MESSAGES),
            a_version(2, 9, None, f"{MESSAGES}?direction=Inbound", "/restapi/v1.0/account/1/presence"),
        )
    )
    outbound = message_body(direction="Outbound")

    before = explain_logged(subscription, logged(MESSAGES, outbound, 9), Announcements(COMPANY))
    after = explain_logged(subscription, logged(MESSAGES, outbound, 10), Announcements(COMPANY))

    assert before.matches
    assert [one.filter for one in before.filters] == [MESSAGES]
    assert not after.matches
    assert [[reason.kind for reason in one.explanation.reasons] for one in after.filters] == [["predicate"], ["family"]]


def test_a_subscription_that_began_later_says_so_whatever_its_filters() -> None:
    subscription = a_subscription(versions=(a_version(1, 10, None, MESSAGES),))

    explained = explain_logged(subscription, logged(MESSAGES, message_body(), 10), Announcements(COMPANY))

    assert not explained.matches
    assert [reason.kind for reason in explained.reasons] == [ReasonKind.BEGAN]
    assert explained.filters[0].explanation.matches


def test_filters_that_are_forgotten_are_noted_and_those_kept_are_used() -> None:
    subscription = a_subscription(versions=(a_version(3, 10, None, MESSAGES),))

    explained = explain_logged(subscription, logged(MESSAGES, message_body(), 4), Announcements(COMPANY))

    assert explained.matches
    assert "not kept any more" in explained.notes[0]


def test_a_disabled_filter_that_would_match_is_a_reason() -> None:
    subscription = a_subscription(
        versions=(a_version(1, 0, None),),
        disabled_filters=(DisabledFilter(filter=MESSAGES, reason="SUB-412", message="It needs [ReadAccounts]."),),
    )

    explained = explain_logged(subscription, logged(MESSAGES, message_body()), Announcements(COMPANY))

    (reason,) = explained.reasons
    assert reason.kind is ReasonKind.DISABLED
    assert "It needs [ReadAccounts]." in reason.message


# Agreement with the index and the registry of subscribers


NUMBERS = ("+12025550143", "+12025550188", "+12025550170")
IDS = ("1001", "11", "12")
PUBLISHABLE = [
    (family, template) for family in REGISTRY.families if family.publishable for template in family.templates
]


def concrete(template: Template, account: str, ids: str = "1001") -> str:
    path = template.path
    for name in placeholders(path):
        value = str(account) if name == "accountId" else template.path_values.get(name, (ids,))[0]
        path = path.replace("{" + name + "}", value)
    return path


@st.composite
def topics(draw: st.DrawFn, template: Template) -> str:
    path = draw(st.sampled_from((template.path, *template.aliases)))
    for name in placeholders(path):
        if name == "accountId":
            value: str = draw(st.sampled_from([ACCOUNT, ACCOUNT, OTHER_ACCOUNT]))
        else:
            value = draw(st.sampled_from(template.path_values.get(name, IDS)))
        path = path.replace("{" + name + "}", value)
    return path


def closed_values(family: EventFamily) -> list[tuple[str, ...]]:
    return [p.closed_values for template in family.templates for p in template.parameters if p.closed_values]


@st.composite
def bodies(draw: st.DrawFn, family: EventFamily) -> dict[str, Any]:
    """The family's sample with other values, entries and gaps, as far as it stays valid."""
    body: dict[str, Any] = copy.deepcopy(dict(family.sample))
    lists = closed_values(family)
    for path in draw(st.lists(st.sampled_from(sorted(places(body), key=repr)), max_size=6)):
        changed = copy.deepcopy(body)
        holder: Any = changed
        try:
            for step in path[:-1]:
                holder = holder[step]
            old = holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        holder[path[-1]] = draw(other_value(old, lists))
        if holder[path[-1]] is GONE:
            del holder[path[-1]]
        try:
            family.body.model_validate_json(json.dumps(changed))
        except ValidationError:
            continue
        body = changed
    return body


GONE = object()


def other_value(old: Any, lists: Sequence[tuple[str, ...]]) -> st.SearchStrategy[Any]:
    choices: list[Any] = [GONE, old]
    if isinstance(old, bool):
        choices += [not old]
    elif isinstance(old, str) and old.startswith("+"):
        choices += NUMBERS
    elif isinstance(old, str):
        choices += [value for values in lists if old in values for value in values] or ["1001"]
    elif isinstance(old, list):
        choices += [[], old + copy.deepcopy(old)]
    return st.sampled_from(choices)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for step, part in inner for place in [(*path, step), *places(part, (*path, step))]]


@st.composite
def queries(draw: st.DrawFn, template: Template, rows: Any) -> str:
    pairs: list[str] = []
    for parameter in template.parameters:
        required = parameter.required or parameter.fixed is not None
        if parameter.closed_values:
            choices: list[str] = list(parameter.closed_values)
        elif parameter.is_phone_number:
            choices = [*NUMBERS]
        else:
            choices = ["1001", *(value for row in rows for value in row.get(parameter.name, ()))]
        most = 2 if parameter.role is Role.PREDICATE else 1
        values = draw(st.lists(st.sampled_from(choices), min_size=1 if required else 0, max_size=most))
        pairs += [f"{parameter.name}={value}" for value in values]
    return "&".join(draw(st.permutations(pairs)))


@st.composite
def encounters(draw: st.DrawFn) -> tuple[LoggedEvent, Subscription]:
    """A logged event, and a subscription with a few filters, most of them of the same family."""
    family, template = draw(st.sampled_from(PUBLISHABLE))
    body = draw(bodies(family))
    rows = family.rows(body)
    text = draw(topics(template))
    if draw(st.booleans()) and (stated := draw(queries(template, rows))):
        text += "?" + stated
    topic = parse_topic(text, account=draw(st.sampled_from([ACCOUNT, OTHER_ACCOUNT])))
    audience = draw(st.sampled_from([None, None, (ALICE,), (BOB, ExtensionId("9")), ()]))
    event = logged(topic.topic, body, draw(st.integers(1, 20)), stated=topic.stated, audience=audience,
                   account=topic.account)  # fmt: skip
    texts = []
    for _ in range(draw(st.integers(1, 3))):
        of = draw(st.sampled_from([*family.templates, *family.templates, draw(st.sampled_from(PUBLISHABLE))[1]]))
        query = draw(queries(of, rows))
        path = draw(topics(of)).replace("/account/2", "/account/1").replace("/accounts/2", "/accounts/1")
        texts.append(f"{path}?{query}" if query else path)
    head = draw(st.integers(0, 12))
    versions = [a_version(1, head, None, *texts)]
    if draw(st.booleans()):
        end = draw(st.integers(head, 18))
        versions = [a_version(1, head, end, *texts), a_version(2, end, None, *reversed(texts[:2]))]
    return event, a_subscription(versions=tuple(versions), owner_id=draw(st.sampled_from([ALICE, BOB])), api=family.api)


def routed(subscription: Subscription, event: LoggedEvent) -> bool:
    """As the router finds it (engine/route.py)."""
    subscribers = Subscribers()
    subscribers.open(subscription, [parse_stored(subscription, version.filters) for version in subscription.versions])
    announcements = Announcements(COMPANY)
    rows = rows_with_stated(announcements.facts(event.event).rows, event.event.stated)
    return any(
        subscribers.matches(key, rows, event.position, event.event.audience)
        for _, key in announcements.topics(event.event)
    )


VERDICTS = {True: 0, False: 0}


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(encounters())
def explained_as_routed(encounter: tuple[LoggedEvent, Subscription]) -> None:
    event, subscription = encounter
    explained = explain_logged(subscription, event, Announcements(COMPANY))
    assert explained.matches == routed(subscription, event)
    VERDICTS[explained.matches] += 1
    for one in explained.filters:
        assert one.explanation.matches or all(reason.message for reason in one.explanation.reasons)


def test_the_verdict_on_logged_events_is_that_of_the_router() -> None:
    explained_as_routed()

    assert min(VERDICTS.values()) > 50, VERDICTS


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(encounters(), st.data())
def test_the_verdict_on_whole_made_up_events_is_that_of_the_router(
    encounter: tuple[LoggedEvent, Subscription], data: st.DataObject
) -> None:
    event, subscription = encounter
    (text, *_) = subscription.versions[0].filters
    stated = "&".join(f"{name}={value}" for name, value in event.event.stated)
    item: dict[str, Any] = {
        "event": event.event.topic + ("?" + stated if stated else ""),
        "accountId": event.event.account,
        "body": json.loads(event.event.body),
    }
    if event.event.audience is not None:
        item["audience"] = list(event.event.audience)
    whole = a_subscription(
        versions=(a_version(1, 0, None, text),), owner_id=subscription.owner_id, api=subscription.api
    )
    asker = Asker(account=ACCOUNT, extension=subscription.owner_id, is_bound=True)

    said = explain_made_up(text, json.dumps(item).encode(), asker=asker, directory=COMPANY, max_event_bytes=99_999)

    assert said.matches == routed(whole, event)

    # With gaps, nothing raises, and what was left out never makes a match of what is none by another reason.
    gap = data.draw(st.sampled_from(sorted(places(item["body"]), key=repr) or [()]))
    holder: Any = item["body"]
    for step in gap[:-1]:
        holder = holder[step]
    if gap and isinstance(holder, dict):
        del holder[gap[-1]]
        explain_made_up(text, json.dumps(item).encode(), asker=asker, directory=COMPANY, max_event_bytes=99_999)
