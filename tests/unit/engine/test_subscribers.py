"""The registry of live subscriptions: who gets an event, with which filter of which version."""

from __future__ import annotations

from bellwire.engine.subscribers import Subscribers
from bellwire.filters import EventFilter, parse_filter
from bellwire.model.event import Rows
from bellwire.model.ids import ClientId, ExtensionId, Position, SubscriptionId
from bellwire.model.subscription import FilterVersion, Subscription, SubscriptionApi
from bellwire.subscriptions.versions import first_version, with_next_version
from tests.doubles.subscriptions import a_subscription

PRESENCE = "/restapi/v1.0/account/1/extension/11/presence"
MESSAGES = "/restapi/v1.0/account/1/a2p-sms/messages"
ANY: Rows = ({},)


def parsed(*texts: str) -> list[EventFilter]:
    subscription = a_subscription()
    return [
        parse_filter(text, account=subscription.account_id, extension=subscription.owner_id, api=subscription.api)
        for text in texts
    ]


def opened(
    subscribers: Subscribers, id_: str, *texts: str, head: int = 0, owner: str = "11", client: str = "app"
) -> tuple[Subscription, list[EventFilter]]:
    filters = parsed(*texts)
    versions = (first_version(texts, Position(head)),)
    subscription = a_subscription(id_, versions=versions, owner_id=ExtensionId(owner), client_id=ClientId(client))
    subscribers.open(subscription, [filters])
    return subscription, filters


def found(subscribers: Subscribers, key: str, position: int, rows: Rows = ANY) -> list[tuple[str, int, int]]:
    matches = subscribers.matches(key, rows, Position(position))
    return sorted((match.subscriber.id, match.version, match.filter_index) for match in matches)


def test_a_subscription_gets_events_after_the_position_it_began_at_and_none_before() -> None:
    subscribers = Subscribers()
    opened(subscribers, "a", PRESENCE, head=5)
    assert found(subscribers, PRESENCE, 5) == []
    assert found(subscribers, PRESENCE, 6) == [("a", 1, 0)]
    assert found(subscribers, MESSAGES, 6) == []


def test_of_several_filters_on_one_topic_the_most_detailed_wins_and_the_first_among_equals() -> None:
    subscribers = Subscribers()
    detailed = f"{PRESENCE}?detailedTelephonyState=true"
    opened(subscribers, "a", PRESENCE, detailed, f"{detailed}&sipData=true", f"{PRESENCE}?sipData=true")
    opened(subscribers, "b", f"{MESSAGES}?direction=Inbound", MESSAGES)
    (match,) = subscribers.matches(PRESENCE, ANY, Position(1))
    best = max(parsed(PRESENCE, detailed, f"{detailed}&sipData=true", f"{PRESENCE}?sipData=true"), key=_detail)
    assert match.projections == best.projections
    assert match.filter_index == 2
    assert found(subscribers, MESSAGES, 1, ({"direction": ("Inbound",)},)) == [("b", 1, 0)]
    assert found(subscribers, MESSAGES, 1, ({"direction": ("Outbound",)},)) == [("b", 1, 1)]


def _detail(event_filter: EventFilter) -> int:
    return len(event_filter.projections)


def test_each_event_is_matched_with_the_filters_of_its_time() -> None:
    subscribers = Subscribers()
    subscription, _ = opened(subscribers, "a", PRESENCE, head=0)
    changed = with_next_version(subscription, [MESSAGES, PRESENCE], Position(10))
    subscribers.refilter(changed, parsed(MESSAGES, PRESENCE))
    assert found(subscribers, PRESENCE, 10) == [("a", 1, 0)]
    assert found(subscribers, MESSAGES, 10) == []
    assert found(subscribers, PRESENCE, 11) == [("a", 2, 1)]
    assert found(subscribers, MESSAGES, 11) == [("a", 2, 0)]


def test_versions_stay_until_the_watermark_has_passed_their_end() -> None:
    subscribers = Subscribers()
    subscription, _ = opened(subscribers, "a", PRESENCE, head=0)
    subscribers.refilter(with_next_version(subscription, [MESSAGES], Position(10)), parsed(MESSAGES))
    subscribers.forget_versions_below(Position(9))
    assert found(subscribers, PRESENCE, 10) == [("a", 1, 0)]
    assert subscribers.oldest_needed(SubscriptionId("a")) == 0
    assert subscribers.filter_count == 2
    subscribers.forget_versions_below(Position(10))
    assert found(subscribers, PRESENCE, 10) == []
    assert found(subscribers, MESSAGES, 11) == [("a", 2, 0)]
    assert subscribers.oldest_needed(SubscriptionId("a")) == 10
    assert subscribers.filter_count == 1


def test_a_subscription_read_from_the_store_has_all_its_versions_again() -> None:
    subscribers = Subscribers()
    versions = (
        FilterVersion(version=4, filters=(PRESENCE,), from_position=Position(3), until_position=Position(8)),
        FilterVersion(version=5, filters=("gone", MESSAGES), from_position=Position(8)),
    )
    subscribers.open(a_subscription("a", versions=versions), [parsed(PRESENCE), [None, *parsed(MESSAGES)]])
    assert found(subscribers, PRESENCE, 3) == []
    assert found(subscribers, PRESENCE, 8) == [("a", 4, 0)]
    assert found(subscribers, MESSAGES, 9) == [("a", 5, 1)]
    subscribers.forget_versions_below(Position(8))
    assert found(subscribers, PRESENCE, 8) == []


def test_what_is_closed_matches_no_more_and_leaves_nothing_behind() -> None:
    subscribers = Subscribers()
    subscription, _ = opened(subscribers, "a", PRESENCE, f"{MESSAGES}?direction=Inbound&direction=Outbound")
    opened(subscribers, "b", PRESENCE)
    subscribers.refilter(with_next_version(subscription, [PRESENCE], Position(2)), parsed(PRESENCE))
    subscribers.close(SubscriptionId("a"))
    subscribers.close(SubscriptionId("a"))
    subscribers.forget_versions_below(Position(5))
    assert found(subscribers, PRESENCE, 1) == [("b", 1, 0)]
    assert subscribers.get(SubscriptionId("a")) is None
    assert (len(subscribers), subscribers.filter_count) == (1, 1)


def test_the_place_of_a_closed_subscription_is_taken_by_the_next_without_mixing_them_up() -> None:
    subscribers = Subscribers()
    opened(subscribers, "a", PRESENCE, MESSAGES)
    subscribers.close(SubscriptionId("a"))
    opened(subscribers, "b", MESSAGES, head=7)
    assert found(subscribers, MESSAGES, 7) == []
    assert found(subscribers, MESSAGES, 8) == [("b", 1, 0)]
    assert found(subscribers, PRESENCE, 8) == []


def test_only_owners_in_the_audience_get_an_event_that_has_one() -> None:
    subscribers = Subscribers()
    opened(subscribers, "a", MESSAGES, owner="11")
    opened(subscribers, "b", MESSAGES, owner="12")
    everyone = subscribers.matches(MESSAGES, ANY, Position(1), None)
    some = subscribers.matches(MESSAGES, ANY, Position(1), (ExtensionId("12"), ExtensionId("13")))
    assert sorted(match.subscriber.id for match in everyone) == ["a", "b"]
    assert [match.subscriber.id for match in some] == ["b"]
    assert subscribers.matches(MESSAGES, ANY, Position(1), ()) == []


def test_case_60_a_filter_for_one_webinar_gets_that_ones_events_alone() -> None:
    subscribers = Subscribers()
    text = "/webinar/configuration/v1/company/sessions?webinarId=w-1"
    subscription = a_subscription("a", api=SubscriptionApi.WEBINAR, versions=(first_version([text], Position(0)),))
    webinar = parse_filter(
        text, account=subscription.account_id, extension=subscription.owner_id, api=SubscriptionApi.WEBINAR
    )
    subscribers.open(subscription, [[webinar]])
    other = webinar.family.rows(webinar.family.sample)
    assert all(row["webinarId"] != ("w-1",) for row in other)
    assert found(subscribers, webinar.key, 1, ({**other[0], "webinarId": ("w-1",)},)) == [("a", 1, 0)]
    assert found(subscribers, webinar.key, 1, other) == []


def test_the_subscriptions_of_an_owner_are_found_whatever_the_application_and_those_of_one_application_apart() -> None:
    subscribers = Subscribers()
    mine = (("a", "11", "app"), ("b", "12", "app"), ("c", "11", "other"), ("d", "11", "app"), ("e", "11", "app"))
    for id_, owner, client in mine:
        opened(subscribers, id_, PRESENCE, owner=owner, client=client)
    assert of_owner(subscribers, "11") == ["a", "c", "d", "e"]
    assert of_user(subscribers, "11", "app") == ["a", "d", "e"]
    assert of_user(subscribers, "11", "other") == ["c"]
    assert of_user(subscribers, "12", "app") == ["b"]
    assert of_user(subscribers, "12", "other") == of_user(subscribers, "13", "app") == []
    for id_ in "adc":
        subscribers.close(SubscriptionId(id_))
    assert of_owner(subscribers, "11") == of_user(subscribers, "11", "app") == ["e"]
    assert of_user(subscribers, "11", "other") == []
    for id_ in "eb":
        subscribers.close(SubscriptionId(id_))
    assert of_owner(subscribers, "11") == of_owner(subscribers, "12") == []


def of_owner(subscribers: Subscribers, owner: str) -> list[str]:
    return sorted(subscriber.id for subscriber in subscribers.of_owner(ExtensionId(owner)))


def of_user(subscribers: Subscribers, owner: str, client: str) -> list[str]:
    return sorted(subscriber.id for subscriber in subscribers.of_user(ExtensionId(owner), ClientId(client)))


def test_a_hundred_thousand_subscriptions_share_a_filter_and_still_come_and_go_quickly() -> None:
    subscribers = Subscribers()
    filters = parsed(PRESENCE)
    version = (first_version([PRESENCE], Position(0)),)
    count = 100_000
    for number in range(count):
        subscribers.open(a_subscription(str(number), versions=version, owner_id=ExtensionId(str(number))), [filters])
    assert len(subscribers.matches(PRESENCE, ANY, Position(1))) == count
    for number in range(count - 1):  # quadratic removal would take minutes here
        subscribers.close(SubscriptionId(str(number)))
    assert found(subscribers, PRESENCE, 1) == [(str(count - 1), 1, 0)]
