"""The reasons for which a filter does not match an event, each in plain words with what is wanted and what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.families import REGISTRY
from bellwire.filters import Announced, EventFilter, Explanation, ReasonKind, explain, parse_filter
from bellwire.model.event import Rows
from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.subscription import SubscriptionApi

ACCOUNT, OWNER = AccountId("1"), ExtensionId("11")
ROOT = "/restapi/v1.0/account/1"
MESSAGES = f"{ROOT}/a2p-sms/messages"
SESSIONS = f"{ROOT}/telephony/sessions"


def wanted(text: str, account: str = "1") -> EventFilter:
    return parse_filter(text, account=AccountId(account), extension=OWNER, api=SubscriptionApi.GENERAL)


def announced(
    *topics: str,
    rows: Rows = ({},),
    stated: Sequence[tuple[str, str]] = (),
    audience: Sequence[str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Announced:
    match = REGISTRY.match(topics[0])
    assert match is not None
    return Announced(
        match=match,
        account=AccountId(match.values.get("accountId", ACCOUNT)),
        topics=(match.topic, *topics[1:]),
        rows=rows,
        stated=stated,
        audience=None if audience is None else [ExtensionId(one) for one in audience],
        body=body,
    )


def only(explanation: Explanation) -> tuple[str, str | None, tuple[str, ...], tuple[str, ...]]:
    (reason,) = explanation.reasons
    assert not explanation.matches
    return reason.kind, reason.parameter, reason.wanted, reason.found


def test_an_event_of_another_family_is_named_with_both_and_its_values_are_not_compared() -> None:
    said = explain(wanted(MESSAGES + "?direction=Inbound"), announced(f"{ROOT}/a2p-sms/opt-outs"))

    assert only(said) == ("family", None, ("a2p_message",), ("a2p_opt_out",))
    assert said.reasons[0].message == (
        "The filter is for events of the family a2p_message (High Volume SMS message); this event, on "
        "/restapi/v1.0/account/1/a2p-sms/opt-outs, is of a2p_opt_out (High Volume SMS opt-out)"
    )


def test_another_account_is_more_telling_than_other_ids() -> None:
    said = explain(
        wanted("/restapi/v1.0/account/2/extension/21/presence", "2"), announced(f"{ROOT}/extension/11/presence")
    )

    assert only(said) == ("account", "accountId", ("2",), ("1",))


@pytest.mark.parametrize(
    ("filter_text", "topics", "parameter", "ids"),
    [
        (f"{ROOT}/extension/11/voicemail", [f"{ROOT}/extension/12/voicemail"], "extensionId", ("11", "12")),
        (
            f"{ROOT}/a2p-sms/batches/b1",
            [f"{ROOT}/a2p-sms/batches/b2", f"{ROOT}/a2p-sms/batches"],
            "batchId",
            ("b1", "b2"),
        ),
    ],
)
def test_another_id_in_the_path_is_named(
    filter_text: str, topics: list[str], parameter: str, ids: tuple[str, str]
) -> None:
    said = explain(wanted(filter_text), announced(*topics))

    assert only(said) == ("path", parameter, (ids[0],), (ids[1],))
    assert said.reasons[0].message == f"{parameter}: the filter wants {ids[0]}; the event has {ids[1]}"


def test_of_an_event_on_derived_topics_the_listeners_are_named() -> None:
    line = "presence/line/presence"
    event = announced(
        f"{ROOT}/extension/12/presence",
        f"{ROOT}/presence",
        f"{ROOT}/extension/13/{line}",
        f"{ROOT}/extension/14/{line}",
    )

    said = explain(wanted(f"{ROOT}/extension/11/{line}"), event)

    assert only(said) == ("path", "extensionId", ("11",), ("13", "14"))
    assert said.reasons[0].message == ("extensionId: the filter wants 11; the event is announced there for 13, 14")
    said = explain(wanted(f"{ROOT}/extension/11/favorite/presence"), event)
    assert said.reasons[0].kind is ReasonKind.TOPIC


def test_an_event_published_on_a_less_specific_topic_is_told_where_to_be_published() -> None:
    said = explain(wanted(f"{ROOT}/a2p-sms/batches/b1"), announced(f"{ROOT}/a2p-sms/batches"))

    assert only(said)[0] == "topic"
    assert "Only events that are published on /restapi/v1.0/account/{accountId}/a2p-sms/batches/{batchId}" in str(said)


def test_a_derived_topic_that_matches_is_noted() -> None:
    said = explain(
        wanted(f"{ROOT}/a2p-sms/batches"), announced(f"{ROOT}/a2p-sms/batches/b1", f"{ROOT}/a2p-sms/batches")
    )

    assert said.matches
    assert said.notes == (f"The event is published on {ROOT}/a2p-sms/batches/b1, and for that announced on "
                          f"{ROOT}/a2p-sms/batches, too.",)  # fmt: skip


def test_each_predicate_that_fails_has_a_reason_with_what_is_wanted_and_what_is_there() -> None:
    rows: Rows = ({"direction": ("Outbound",), "batchId": (), "from": ("+1",), "to": ("+12", "+13")},)

    said = explain(wanted(f"{MESSAGES}?direction=Inbound&batchId=b1&to=%2B14&to=%2B15"), announced(MESSAGES, rows=rows))

    assert [reason.message for reason in said.reasons] == [
        "batchId: the filter wants b1; the event has no batchId",
        "direction: the filter wants Inbound; the event has Outbound",
        "to: the filter wants +14 or +15; the event has +12, +13",
    ]


def test_a_wrong_topic_and_wrong_values_are_both_said() -> None:
    rows: Rows = ({"direction": ("Outbound",)},)

    said = explain(
        wanted("/restapi/v1.0/account/2/a2p-sms/messages?direction=Inbound", "2"), announced(MESSAGES, rows=rows)
    )

    assert [reason.kind for reason in said.reasons] == [ReasonKind.ACCOUNT, ReasonKind.PREDICATE]


def test_values_of_different_parties_do_not_add_up() -> None:
    rows: Rows = (
        {"direction": ("Inbound",), "statusCode": ("Proceeding",)},
        {"direction": ("Outbound",), "statusCode": ("Answered",)},
    )

    said = explain(wanted(f"{SESSIONS}?direction=Inbound&statusCode=Answered"), announced(SESSIONS, rows=rows))

    assert only(said)[0] == "together"
    assert said.reasons[0].message == (
        "No one part of the body has all of direction=Inbound, statusCode=Answered; its 2 parts have: "
        "direction=Inbound statusCode=Proceeding; direction=Outbound statusCode=Answered"
    )


@given(
    st.lists(
        st.fixed_dictionaries(
            {"direction": st.lists(st.sampled_from(["Inbound", "Outbound"]), max_size=2).map(tuple)},
            optional={"statusCode": st.lists(st.sampled_from(["Answered", "Gone"]), max_size=2).map(tuple)},
        ),
        min_size=1,
        max_size=4,
    ),
    st.lists(
        st.sampled_from(["direction=Inbound", "direction=Outbound", "statusCode=Answered", "statusCode=Gone"]),
        min_size=1,
        max_size=3,
    ),
)
def test_the_verdict_on_any_rows_is_that_of_the_filter_itself(rows: list[dict[str, Any]], query: list[str]) -> None:
    event_filter = wanted(f"{SESSIONS}?{'&'.join(query)}")

    assert explain(event_filter, announced(SESSIONS, rows=tuple(rows))).matches == event_filter.fits(tuple(rows))


def test_what_a_body_has_no_place_for_is_noted_and_matches() -> None:
    store = f"{ROOT}/extension/11/message-store"

    said = explain(wanted(f"{store}?direction=Inbound&type=SMS"), announced(store, rows=({"type": ("sms",)},)))

    assert said.matches
    (note,) = said.notes
    assert note.startswith("direction: this event's body has no place to say it")


def test_what_the_publisher_stated_is_compared_and_noted() -> None:
    store = f"{ROOT}/extension/11/message-store"
    event = announced(store, rows=({"type": ("sms",)},), stated=[("direction", "Outbound")])

    assert explain(wanted(f"{store}?direction=Outbound"), event).notes == (
        "direction: the body does not say it; it is compared with what the query of `event` states.",
    )
    assert only(explain(wanted(f"{store}?direction=Inbound"), event))[0] == "predicate"
    said = announced(MESSAGES, rows=({"direction": ("Inbound",)},), stated=[("direction", "Outbound")])
    assert explain(wanted(f"{MESSAGES}?direction=Inbound"), said).notes == ()


def test_a_parameter_that_belongs_to_the_topic_is_noted_as_not_compared() -> None:
    numbers = f"{ROOT}/phone-number?usageType=ContactCenterNumber"

    assert explain(wanted(numbers), announced(f"{ROOT}/phone-number")).notes == (
        "usageType: it is part of each event on this topic, and not compared with the body.",
    )


def test_the_audience_is_a_reason_for_a_known_owner_and_a_note_for_nobody_in_particular() -> None:
    chats = "/team-messaging/v1/chats"
    event = announced(chats, audience=["12", "13"])

    assert only(explain(wanted(chats), event, owner=OWNER)) == ("audience", "audience", ("11",), ("12", "13"))
    assert explain(wanted(chats), event, owner=ExtensionId("13")).matches
    assert explain(wanted(chats), event).notes == (
        "Only subscriptions of these extensions get the event, its audience: 12, 13.",
    )


def test_projections_change_the_body_and_not_the_verdict() -> None:
    presence = f"{ROOT}/extension/11/presence"
    body = {"extensionId": "11", "activeCalls": [{"id": "1", "sipData": {"toTag": "t"}}], "totalActiveCalls": 1}
    event = announced(presence, body=body)

    plain = explain(wanted(presence), event)
    detailed = explain(wanted(f"{presence}?detailedTelephonyState=true"), event)
    whole = explain(wanted(f"{presence}?sipData=true"), event)

    assert plain.matches and detailed.matches and whole.matches
    assert plain.notes == (
        "The notification leaves out activeCalls, totalActiveCalls of the body, since the filter does not ask for "
        "detailedTelephonyState or sipData.",
    )
    assert detailed.notes[0].startswith("detailedTelephonyState changes what the notification holds, not what matches")
    assert detailed.notes[1].startswith("The notification leaves out activeCalls.sipData of the body")
    assert not any("leaves out" in note for note in whole.notes)


def test_long_lists_and_values_are_cut() -> None:
    rows: Rows = ({"to": tuple(f"+{number}" + "0" * 500 for number in range(1000))},)

    (reason,) = explain(wanted(f"{MESSAGES}?to=%2B14"), announced(MESSAGES, rows=rows)).reasons

    assert len(reason.message) < 3000
    assert "and 990 more" in reason.message
    assert len(reason.found) == 10
