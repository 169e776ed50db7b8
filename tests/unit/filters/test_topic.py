"""Topics that events are published on."""

from __future__ import annotations

import pytest

from bellwire.errors import InvalidRequest
from bellwire.filters import parse_topic, rows_with_stated
from bellwire.model.ids import AccountId

ACCOUNT = AccountId("9")


def refusal(event: str, account: AccountId | None = ACCOUNT) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        parse_topic(event, account=account)
    return refused.value


def test_account_of_the_path_wins() -> None:
    topic = parse_topic("/restapi/v1.0/account/1/extension/7/presence", account=ACCOUNT)

    assert topic.account == "1"
    assert topic.topic == topic.key == "/restapi/v1.0/account/1/extension/7/presence"
    assert topic.values == {"accountId": "1", "extensionId": "7"}
    assert topic.family.name == "presence"
    assert topic.index == 0
    assert topic.stated == ()


def test_path_without_account_takes_the_callers() -> None:
    topic = parse_topic("/restapi/v1.0/glip/posts", account=ACCOUNT)

    assert (topic.account, topic.topic, topic.key) == ("9", "/team-messaging/v1/posts", "9 /team-messaging/v1/posts")


def test_event_of_no_account_is_refused() -> None:
    refused = refusal("/team-messaging/v1/posts", account=None)

    assert refused.code == "CMN-101"
    assert refused.entries[0].parameter == "accountId"


def test_query_of_an_example_is_what_the_publisher_states() -> None:
    topic = parse_topic(
        "/restapi/v1.0/account/1/extension/7/message-store?direction=Outbound&type=Fax&type=SMS", account=None
    )

    assert topic.stated == (("direction", "Outbound"), ("type", "fax"), ("type", "sms"))
    assert topic.topic == "/restapi/v1.0/account/1/extension/7/message-store"


def test_projections_of_an_example_say_nothing() -> None:
    topic = parse_topic("/restapi/v1.0/account/1/presence?detailedTelephonyState=true", account=None)

    assert topic.stated == ()


@pytest.mark.parametrize(
    "event",
    [
        "/restapi/v1.0/account/1/extension/7/message-store/instant",
        "/restapi/v1.0/account/1/extension/7/message-store/instant?type=SMS",
        "/restapi/v1.0/account/1/phone-number",
        "/restapi/v1.0/account/1/phone-number?usageType=ContactCenterNumber",
    ],
)
def test_parameters_that_a_filter_must_have_may_be_left_out(event: str) -> None:
    parse_topic(event, account=None)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("/restapi/v1.0/account/~/presence", "~"),
        ("/restapi/v1.0/account/1/extension/~/presence", "~"),
        ("/restapi/v1.0/account/1/presense", "/restapi/v1.0/account/{accountId}/presence"),
        ("/restapi/v1.0/account/one/presence", "accountId"),
        ("/restapi/v1.0/account/{accountId}/presence", "placeholder"),
        ("/restapi/v1.0/account/1/presence?x=1", "x"),
        ("/restapi/v1.0/account/1/presence/", "does not end with /"),
        ("/restapi/v1.0/subscription/6d1f5d0e", "only Bellwire"),
        ("/ai/ringsense/v1/public/accounts/1/domains/fax/insights", "domain"),
        ("", "empty"),
        ("/" * 5000, "longer"),
    ],
)
def test_event_that_is_no_topic_is_refused_with_the_reason(event: str, reason: str) -> None:
    refused = refusal(event)

    assert refused.code == "CMN-101"
    assert refused.entries[0].parameter == "event"
    assert reason in refused.message


class TestRowsWithStated:
    def test_nothing_stated_changes_nothing(self) -> None:
        rows = ({"type": ("sms",)},)

        assert rows_with_stated(rows, ()) is rows

    def test_stated_value_is_put_into_rows_that_lack_it(self) -> None:
        rows = ({"type": ("sms",)}, {"type": ("fax",), "direction": ("Inbound",)})

        assert rows_with_stated(rows, (("direction", "Outbound"),)) == (
            {"type": ("sms",), "direction": ("Outbound",)},
            {"type": ("fax",), "direction": ("Inbound",)},
        )

    def test_stated_value_is_put_where_the_body_gives_none(self) -> None:
        assert rows_with_stated(({"batchId": ()},), (("batchId", "b-1"),)) == ({"batchId": ("b-1",)},)

    def test_several_stated_values_of_one_name_are_alternatives(self) -> None:
        assert rows_with_stated(({},), (("type", "sms"), ("type", "fax"))) == ({"type": ("sms", "fax")},)
