"""What a filter means, and how one that means nothing is refused."""

from __future__ import annotations

import pytest

from bellwire.errors import InvalidRequest
from bellwire.filters import MAX_FILTER_LENGTH, MAX_FILTERS, EventFilter, FilterRefused, ForeignAccount
from bellwire.filters import parse_filter as parse_any
from bellwire.filters import parse_filters as parse_all
from bellwire.filters.event_filter import MAX_REFUSALS
from bellwire.filters.query import MAX_VALUES
from bellwire.model.ids import AccountId, ExtensionId, SubscriptionId
from bellwire.model.subscription import SubscriptionApi

ACCOUNT = AccountId("1")
EXTENSION = ExtensionId("7")
SUBSCRIPTION = SubscriptionId("6d1f5d0e-6a5c-4d2c-8a53-2f0f6f6f0a01")

MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"
SESSIONS = "/restapi/v1.0/account/~/telephony/sessions"
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
STORE = "/restapi/v1.0/account/~/extension/~/message-store"
REMINDER = "/restapi/v1.0/subscription/~?threshold=60&interval=15"


def parse(
    text: str,
    *,
    api: SubscriptionApi = SubscriptionApi.GENERAL,
    subscription: SubscriptionId | None = None,
) -> EventFilter:
    return parse_any(text, account=ACCOUNT, extension=EXTENSION, api=api, subscription=subscription)


def refusal(text: str) -> FilterRefused:
    with pytest.raises(FilterRefused) as refused:
        parse(text)
    return refused.value


class TestPath:
    def test_tilde_becomes_the_callers_ids(self) -> None:
        parsed = parse(PRESENCE)

        assert parsed.text == parsed.topic == parsed.key == "/restapi/v1.0/account/1/extension/7/presence"
        assert (parsed.account, parsed.extension) == ("1", "7")
        assert parsed.family.name == "presence"

    def test_concrete_ids_mean_the_same_as_tildes(self) -> None:
        assert parse("/restapi/v1.0/account/1/extension/7/presence") == parse(PRESENCE)

    def test_another_extension_stays_who_it_is(self) -> None:
        parsed = parse("/restapi/v1.0/account/~/extension/8/presence")

        assert parsed.text == "/restapi/v1.0/account/1/extension/8/presence"
        assert parsed.extension == "8"

    def test_path_without_extension_names_none(self) -> None:
        assert parse(SESSIONS).extension is None

    @pytest.mark.parametrize("alias", ["/team-messaging/v1/chats", "/restapi/v1.0/glip/groups"])
    def test_alias_is_echoed_and_means_the_canonical_topic(self, alias: str) -> None:
        parsed = parse(alias)

        assert parsed.text == alias
        assert parsed.topic == "/team-messaging/v1/groups"
        assert parsed.key == "1 /team-messaging/v1/groups"

    @pytest.mark.parametrize("text", [f"{SESSIONS} ", f" {SESSIONS}", f"\t{SESSIONS}\r\n"])
    def test_blanks_at_the_ends_are_ignored(self, text: str) -> None:
        assert parse(text) == parse(SESSIONS)

    def test_another_account_is_foreign(self) -> None:
        with pytest.raises(ForeignAccount) as refused:
            parse("/restapi/v1.0/account/2/telephony/sessions")

        assert (refused.value.code, refused.value.http_status, refused.value.account) == ("SUB-406", 403, "2")

    def test_foreign_filter_that_can_not_be_read_is_told_so_first(self) -> None:
        assert refusal("/restapi/v1.0/account/2/telephony/sessions?x=1").code == "SUB-508"

    def test_insights_are_of_a_known_domain(self) -> None:
        parsed = parse("/ai/ringsense/v1/public/accounts/~/domains/ms-teams/insights")
        refused = refusal("/ai/ringsense/v1/public/accounts/~/domains/fax/insights")

        assert parsed.topic == "/ai/ringsense/v1/public/accounts/1/domains/ms-teams/insights"
        assert refused.found == "fax"
        assert refused.allowed == ("pbx", "rcv", "rcx", "ms-teams", "nice-incontact")
        assert refused.position == len("/ai/ringsense/v1/public/accounts/~/domains/")


class TestRefusedPaths:
    def test_unknown_path_is_refused_with_the_nearest_template(self) -> None:
        refused = refusal("/restapi/v1.0/account/~/a2p-sms/mesages?direction=Inbound")

        assert refused.code == "SUB-508"
        assert refused.http_status == 400
        assert refused.found == "/restapi/v1.0/account/~/a2p-sms/mesages"
        assert refused.suggestion == "/restapi/v1.0/account/{accountId}/a2p-sms/messages"
        assert refused.filter in refused.message
        assert refused.suggestion in refused.message
        assert refused.entries[0].parameter == "eventFilters"
        assert refused.entries[0].value == refused.filter

    def test_trailing_slash_is_refused_with_the_path_without(self) -> None:
        refused = refusal(f"{PRESENCE}/")

        assert refused.suggestion == PRESENCE
        assert refused.position == len(PRESENCE)

    def test_url_is_refused_with_its_path(self) -> None:
        assert refusal(f"https://platform.example.com{SESSIONS}").suggestion == SESSIONS

    def test_path_without_leading_slash_is_refused_with_one(self) -> None:
        assert refusal(SESSIONS[1:]).suggestion == SESSIONS

    def test_template_of_the_documentation_is_told_from_a_filter(self) -> None:
        refused = refusal("/restapi/v1.0/account/{accountId}/telephony/sessions")

        assert "placeholder" in refused.reason
        assert "~" in refused.reason
        assert refused.found == "{accountId}"

    def test_tilde_stands_for_no_device(self) -> None:
        refused = refusal("/restapi/v1.0/account/~/device/~/emergency-address")

        assert refused.position == len("/restapi/v1.0/account/~/device/")

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            (f"{SESSIONS}#top", "#top"),
            ("/restapi/v1.0/account/~/présence", "\\xe9"),
            ("/restapi/v1.0/account/~/presence\x00", "\\x00"),
            ("/restapi/v1.0/account/~/presence\ud800", "\\ud800"),
            ("/restapi/v1.0/account/one/presence", "one"),
            ("/restapi/v1.0/account/%7E/presence", "%7E"),
            ("", ""),
            ("   ", ""),
        ],
    )
    def test_part_that_is_wrong_is_named(self, text: str, found: str) -> None:
        assert refusal(text).found == found

    def test_position_counts_from_the_start_of_what_was_written(self) -> None:
        text = "  /restapi/v1.0/account/one/presence"

        refused = refusal(text)

        assert text[refused.position :].startswith("one")

    def test_filter_as_long_as_the_limit_is_read(self) -> None:
        base = f"{MESSAGES}?"
        pairs = "&".join(f"batchId={'b' * 100}{number:02}" for number in range(8))
        text = base + pairs + "&batchId=" + "c" * (MAX_FILTER_LENGTH - len(base) - len(pairs) - 9)

        assert len(text) == MAX_FILTER_LENGTH
        assert len(parse(text).predicates[0][1]) == 9

    def test_filter_over_the_limit_is_refused(self) -> None:
        refused = refusal(PRESENCE + "?" + "x" * MAX_FILTER_LENGTH)

        assert "longer than 1024 characters" in refused.reason
        assert len(refused.message) < 1000

    def test_filter_that_grows_over_the_limit_with_its_ids_is_refused(self) -> None:
        base = f"{MESSAGES}?"
        pairs = "&".join(f"batchId={'b' * 100}{number:02}" for number in range(8))
        text = base + pairs + "&batchId=" + "c" * (MAX_FILTER_LENGTH - len(base) - len(pairs) - 9)

        with pytest.raises(FilterRefused, match="with its ids"):
            parse_any(text, account=AccountId("400144452008"), extension=EXTENSION, api=SubscriptionApi.GENERAL)


class TestQuery:
    def test_predicates_are_sorted_by_name_and_the_text_keeps_the_subscribers_order(self) -> None:
        parsed = parse(f"{MESSAGES}?to=+12406680432&direction=Inbound")

        assert parsed.predicates == (("direction", ("Inbound",)), ("to", ("+12406680432",)))
        assert parsed.text == "/restapi/v1.0/account/1/a2p-sms/messages?to=+12406680432&direction=Inbound"
        assert parsed.topic == "/restapi/v1.0/account/1/a2p-sms/messages"

    @pytest.mark.parametrize(
        "written", ["+12406680432", "%2B12406680432", "%2b12406680432", "12406680432", "%2012406680432", " 12406680432"]
    )
    def test_spellings_of_one_phone_number_are_compared_alike_and_echoed_as_written(self, written: str) -> None:
        parsed = parse(f"{MESSAGES}?to={written}")

        assert parsed.predicates == (("to", ("+12406680432",)),)
        assert parsed.text.endswith(f"?to={written}")

    def test_repeated_parameter_means_any_of_its_values(self) -> None:
        parsed = parse(f"{SESSIONS}?statusCode=Setup&direction=Inbound&statusCode=Answered&statusCode=Setup")

        assert parsed.predicates == (("direction", ("Inbound",)), ("statusCode", ("Answered", "Setup")))

    def test_type_is_compared_whatever_its_case(self) -> None:
        assert parse(f"{STORE}?type=voicemail").predicates == parse(f"{STORE}?type=VoiceMail").predicates

    def test_boolean_predicate_is_compared_as_a_word(self) -> None:
        assert parse(f"{SESSIONS}?missedCall=false").predicates == (("missedCall", ("false",)),)

    def test_fixed_value_of_the_template_is_compared_where_the_body_has_it(self) -> None:
        assert parse(f"{STORE}/instant?type=SMS").predicates == (("type", ("SMS",)),)

    def test_fixed_value_that_no_body_can_contradict_is_not_compared(self) -> None:
        text = "/restapi/v1.0/account/1/phone-number?usageType=ContactCenterNumber"

        parsed = parse(text)

        assert parsed.predicates == ()
        assert parsed.text == text

    @pytest.mark.parametrize(
        ("query", "projections"),
        [
            ("", set()),
            ("?detailedTelephonyState=true", {"detailedTelephonyState"}),
            ("?detailedTelephonyState=false", set()),
            ("?sipData=true", {"sipData", "detailedTelephonyState"}),
            ("?detailedTelephonyState=true&sipData=true", {"sipData", "detailedTelephonyState"}),
            ("?detailedTelephonyState=true&sipData=false", {"detailedTelephonyState"}),
        ],
    )
    def test_projections_are_those_switched_on(self, query: str, projections: set[str]) -> None:
        assert parse(PRESENCE + query).projections == projections

    def test_sip_data_of_a_session_is_a_projection_beside_predicates(self) -> None:
        parsed = parse(f"{SESSIONS}?sipData=true&direction=Inbound")

        assert parsed.projections == {"sipData"}
        assert parsed.predicates == (("direction", ("Inbound",)),)


class TestRefusedQueries:
    def test_unknown_parameter_is_refused_with_those_that_are_known(self) -> None:
        refused = refusal(f"{SESSIONS}?Direction=Inbound")

        assert refused.found == "Direction"
        assert refused.suggestion == "direction"
        assert "statusCode" in refused.allowed
        assert refused.position == len(SESSIONS) + 1

    def test_parameter_where_none_is_known_is_refused(self) -> None:
        assert refusal("/team-messaging/v1/posts?a=b").reason == "this event filter takes no parameters"

    def test_unknown_value_is_refused_with_those_that_are_allowed(self) -> None:
        refused = refusal(f"{SESSIONS}?sipData=true&statusCode=answered")

        assert refused.found == "answered"
        assert refused.suggestion == "Answered"
        assert "Answered" in refused.allowed
        assert refused.position == len(f"{SESSIONS}?sipData=true&statusCode=")

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "&",
            "direction",
            "direction=",
            "=Inbound",
            "direction=Inbound&",
            "direction=Inbound&&to=+12406680432",
            "direction=Inbound?to=+12406680432",
            "direction=inbound",
            "direction=Inbound=",
            "to=+0240",
            "to=++12406680432",
            "to=+1240668o432",
            "to=+1",
            "to=+1234567890123456",
            "to=%",
            "to=%2",
            "to=%zz",
            "to=%FF12406680432",
            "to=+12406680432%00",
            "to=+12406680432%0A",
            "batchId=a/b",
            "batchId=a%20b",
            "batchId=",
            "batchId=%F0%9F%98%80",
            "batchId=" + "b" * 129,
            "{name}={value}",
        ],
    )
    def test_query_that_can_not_be_read_is_refused(self, query: str) -> None:
        assert refusal(f"{MESSAGES}?{query}").code == "SUB-508"

    @pytest.mark.parametrize("query", ["sipData=true&sipData=true", "sipData=true&sipData=false"])
    def test_projection_given_twice_is_refused(self, query: str) -> None:
        assert "more than once" in refusal(f"{PRESENCE}?{query}").reason

    @pytest.mark.parametrize("value", ["True", "1", "yes", "TRUE"])
    def test_boolean_is_true_or_false(self, value: str) -> None:
        assert refusal(f"{PRESENCE}?sipData={value}").allowed == ("true", "false")

    def test_account_presence_has_no_sip_data(self) -> None:
        assert refusal("/restapi/v1.0/account/~/presence?sipData=true").allowed == ("detailedTelephonyState",)

    @pytest.mark.parametrize("query", ["", "?type=Pager"])
    def test_fixed_parameter_must_be_there_with_its_value(self, query: str) -> None:
        assert refusal(f"{STORE}/instant{query}").allowed == ("SMS",)

    def test_required_parameter_must_be_there(self) -> None:
        refused = refusal("/restapi/v2/accounts/~/extensions/~/sms/messages?to=+12406680432")

        assert "direction is missing" in refused.reason
        assert refused.allowed == ("Inbound", "Outbound")

    def test_as_many_values_as_the_limit_are_read(self) -> None:
        values = "&".join(f"batchId=b{number}" for number in range(MAX_VALUES))

        assert len(parse(f"{MESSAGES}?{values}").predicates[0][1]) == MAX_VALUES
        assert "more than 16 values" in refusal(f"{MESSAGES}?{values}&batchId=one-more").reason

    def test_too_many_combinations_are_refused(self) -> None:
        batches = "&".join(f"batchId=b{number}" for number in range(16))
        numbers = "&".join(f"to=+1240668043{number}" for number in range(8))
        both = f"{MESSAGES}?{batches}&{numbers}&from=+12406680500&from=+12406680501"

        assert len(parse(both).predicates) == 3
        assert "more than 256 combinations" in refusal(f"{both}&from=+12406680502").reason


class TestReminder:
    def test_text_keeps_its_tilde_and_the_topic_is_the_subscriptions(self) -> None:
        parsed = parse(REMINDER, subscription=SUBSCRIPTION)

        assert parsed.text == REMINDER
        assert parsed.topic == f"/restapi/v1.0/subscription/{SUBSCRIPTION}"
        assert parsed.key == f"1 /restapi/v1.0/subscription/{SUBSCRIPTION}"
        assert parsed.schedule == {"threshold": 60, "interval": 15}
        assert parsed.predicates == ()

    def test_topic_without_subscription_is_a_placeholder(self) -> None:
        assert parse(REMINDER).topic == "/restapi/v1.0/subscription/~"

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "?threshold=60",
            "?interval=15",
            "?threshold=0&interval=15",
            "?threshold=-1&interval=15",
            "?threshold=6e1&interval=15",
            "?threshold=1.5&interval=15",
            "?threshold=&interval=15",
            "?threshold=60&threshold=60&interval=15",
            "?threshold=9999999999&interval=15",
            "?threshold=٦٠&interval=15",
        ],
    )
    def test_both_times_are_whole_numbers_of_seconds(self, query: str) -> None:
        assert refusal(f"/restapi/v1.0/subscription/~{query}").code == "SUB-508"

    @pytest.mark.parametrize("subscription", ["abc", SUBSCRIPTION, "1"])
    def test_another_id_than_tilde_is_refused(self, subscription: str) -> None:
        with pytest.raises(FilterRefused, match="write ~"):
            parse(f"/restapi/v1.0/subscription/{subscription}?threshold=60&interval=15", subscription=SUBSCRIPTION)


class TestEndpoint:
    def test_webinar_filter_is_read_at_the_webinar_endpoint_alone(self) -> None:
        text = "/webinar/runtime/v1/company/sessions/state?webinarId=60&hostUserId=7"

        parsed = parse(text, api=SubscriptionApi.WEBINAR)

        assert parsed.key == "1 /webinar/runtime/v1/company/sessions/state"
        assert parsed.predicates == (("hostUserId", ("7",)), ("webinarId", ("60",)))
        assert "/webinar/notifications/v1/subscriptions" in refusal(text).reason

    @pytest.mark.parametrize("text", [PRESENCE, REMINDER])
    def test_general_filter_is_refused_at_the_webinar_endpoint(self, text: str) -> None:
        with pytest.raises(FilterRefused, match=r"/restapi/v1\.0/subscription"):
            parse(text, api=SubscriptionApi.WEBINAR)


class TestSeveral:
    def parse(self, *texts: str) -> tuple[EventFilter, ...]:
        return parse_all(texts, account=ACCOUNT, extension=EXTENSION, api=SubscriptionApi.GENERAL)

    def test_filters_keep_their_order_and_their_repetitions(self) -> None:
        assert [one.family.name for one in self.parse(PRESENCE, SESSIONS, PRESENCE)] == [
            "presence",
            "telephony_session",
            "presence",
        ]

    def test_all_bad_filters_are_listed(self) -> None:
        with pytest.raises(FilterRefused) as refused:
            self.parse("/restapi/v1.0/account/2/presence", PRESENCE, "/nowhere", f"{SESSIONS}?direction=Up")

        entries = refused.value.entries
        assert [(entry.code, entry.value) for entry in entries] == [
            ("SUB-508", "/nowhere"),
            ("SUB-406", "/restapi/v1.0/account/2/presence"),
            ("SUB-508", f"{SESSIONS}?direction=Up"),
        ]
        assert refused.value.http_status == 400
        assert refused.value.message.startswith("3 event filters are refused")
        assert all(str(entry.value) in refused.value.message for entry in entries)

    def test_one_bad_filter_is_told_as_it_is(self) -> None:
        with pytest.raises(FilterRefused) as refused:
            self.parse(PRESENCE, "/nowhere")

        assert len(refused.value.entries) == 1
        assert refused.value.message == refusal("/nowhere").message

    def test_foreign_accounts_alone_are_forbidden(self) -> None:
        with pytest.raises(ForeignAccount) as refused:
            self.parse("/restapi/v1.0/account/2/presence", PRESENCE, "/restapi/v1.0/account/3/presence")

        assert refused.value.http_status == 403
        assert [entry.code for entry in refused.value.entries] == ["SUB-406", "SUB-406"]

    def test_very_many_bad_filters_are_not_all_read(self) -> None:
        with pytest.raises(FilterRefused) as refused:
            self.parse(*["/nowhere"] * MAX_FILTERS)

        assert len(refused.value.entries) == MAX_REFUSALS
        assert len(refused.value.message) < 5000

    @pytest.mark.parametrize("count", [0, MAX_FILTERS + 1])
    def test_no_filters_and_too_many_are_refused(self, count: int) -> None:
        with pytest.raises(InvalidRequest) as refused:
            self.parse(*[PRESENCE] * count)

        assert refused.value.code == "CMN-101"
        assert refused.value.entries[0].parameter == "eventFilters"


def test_filter_can_be_a_key() -> None:
    assert len({parse(PRESENCE), parse(PRESENCE), parse(SESSIONS)}) == 2
