"""What holds for all filters: no other error than the parser's own, and text that means the same when read again."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from bellwire.errors import InvalidRequest
from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily, QueryParameter, Role, Template
from bellwire.families.registry import placeholders
from bellwire.filters import (
    EventFilter,
    FilterRefused,
    ForeignAccount,
    parse_filter,
    parse_stored_filter,
    parse_topic,
    rows_with_stated,
)
from bellwire.model.ids import AccountId, ExtensionId, SubscriptionId
from bellwire.model.subscription import SubscriptionApi

ACCOUNT = AccountId("400144452008")
EXTENSION = ExtensionId("400144455008")
SUBSCRIPTION = SubscriptionId("6d1f5d0e-6a5c-4d2c-8a53-2f0f6f6f0a01")

TEMPLATES = [(family, template) for family in REGISTRY.families for template in family.templates]

phone_numbers = st.from_regex(r"(\+|%2B|%20| |)[1-9][0-9]{1,14}", fullmatch=True)
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)


def value_of(parameter: QueryParameter) -> st.SearchStrategy[str]:
    if parameter.closed_values:
        return st.sampled_from(parameter.closed_values)
    if parameter.is_phone_number:
        return phone_numbers
    if parameter.type == "integer":
        return st.integers(1, 10**8).map(str)
    return ids


@st.composite
def filter_texts(draw: st.DrawFn) -> tuple[str, EventFamily]:
    """A filter of any family, with any of its parameters in any order, and ids or tildes."""
    family, template = draw(st.sampled_from(TEMPLATES))
    path = draw(st.sampled_from((template.path, *template.aliases)))
    for name in placeholders(path):
        own = {"accountId": str(ACCOUNT), "extensionId": str(EXTENSION)}
        if name == "subscriptionId":
            value = "~"
        elif name in own:
            value = draw(st.sampled_from(["~", own[name]]))
        elif name in template.path_values:
            value = draw(st.sampled_from(template.path_values[name]))
        else:
            value = draw(ids)
        path = path.replace("{" + name + "}", value)
    query = "&".join(draw(st.permutations(draw(queries(template)))))
    return (f"{path}?{query}" if query else path), family


@st.composite
def queries(draw: st.DrawFn, template: Template) -> list[str]:
    pairs: list[str] = []
    for parameter in template.parameters:
        required = parameter.required or parameter.fixed is not None
        most = 3 if parameter.role is Role.PREDICATE else 1
        values = draw(st.lists(value_of(parameter), min_size=1 if required else 0, max_size=most))
        pairs += [f"{parameter.name}={value}" for value in values]
    return pairs


@given(st.text(max_size=2000), st.sampled_from(SubscriptionApi))
@example("/restapi/v1.0/account/~/presence?detailedTelephonyState=%", SubscriptionApi.GENERAL)
@example("/restapi/v1.0/account/~/a2p-sms/messages?to=%ED%A0%80", SubscriptionApi.GENERAL)
@example("\ud800", SubscriptionApi.GENERAL)
@example("/{}" * 10, SubscriptionApi.GENERAL)
def test_any_text_is_read_or_refused(text: str, api: SubscriptionApi) -> None:
    try:
        parse_filter(text, account=ACCOUNT, extension=EXTENSION, api=api)
    except (FilterRefused, ForeignAccount) as refused:
        refused.message.encode("ascii")
        assert 0 <= getattr(refused, "position", 0) <= len(text)


@given(filter_texts(), st.data())
def test_filter_with_a_slip_is_read_or_refused(written: tuple[str, EventFamily], data: st.DataObject) -> None:
    text, family = written
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    slip = data.draw(st.text(alphabet="~/?&=%+# {}0aZ\x00é", max_size=3))
    try:
        parse_filter(text[:at] + slip + text[at + cut :], account=ACCOUNT, extension=EXTENSION, api=family.api)
    except (FilterRefused, ForeignAccount) as refused:
        refused.message.encode("ascii")


@given(filter_texts())
def test_canonical_text_means_the_same_when_it_is_read_again(written: tuple[str, EventFamily]) -> None:
    text, family = written
    first = parse_filter(text, account=ACCOUNT, extension=EXTENSION, api=family.api, subscription=SUBSCRIPTION)

    again = parse_filter(
        first.text, account=ACCOUNT, extension=ExtensionId("9"), api=family.api, subscription=SUBSCRIPTION
    )

    assert again == first
    assert again.text == first.text
    assert first.family is family
    assert "~" not in first.topic
    assert first.text.partition("?")[2] == text.partition("?")[2]


@given(filter_texts())
def test_topic_of_a_filter_can_be_published_on(written: tuple[str, EventFamily]) -> None:
    text, family = written
    if not family.publishable:
        return
    wanted = parse_filter(text, account=ACCOUNT, extension=EXTENSION, api=family.api)

    topic = parse_topic(wanted.text, account=ACCOUNT)

    assert (topic.topic, topic.key, topic.family) == (wanted.topic, wanted.key, wanted.family)
    (row,) = rows_with_stated(({},), topic.stated)
    assert tuple(sorted(row.items())) == wanted.predicates


@given(st.text(max_size=3000), st.sampled_from([None, ACCOUNT]))
def test_any_event_is_read_or_refused(text: str, account: AccountId | None) -> None:
    try:
        parse_topic(text, account=account)
    except InvalidRequest as refused:
        assert refused.code == "CMN-101"
        refused.message.encode("ascii")


def read_by(parse: Callable[..., EventFilter], text: str, api: SubscriptionApi, account: AccountId) -> object:
    """What a parser finds, or how it refuses."""
    try:
        return parse(text, account=account, extension=EXTENSION, api=api, subscription=SUBSCRIPTION)
    except (FilterRefused, ForeignAccount) as refused:
        return type(refused), refused.message, refused.code


@given(filter_texts(), st.data())
@example(("/restapi/v1.0/account/400144452008/presence", REGISTRY.by_name("presence")), None)
def test_the_quick_way_for_stored_filters_finds_what_the_whole_way_finds(
    written: tuple[str, EventFamily], data: st.DataObject | None
) -> None:
    text, family = written
    canonical = parse_filter(text, account=ACCOUNT, extension=EXTENSION, api=family.api).text
    texts = [canonical, canonical, text, canonical.replace("400144455008", "7"), canonical + "\n", canonical + "/"]
    if data is not None:
        at = data.draw(st.integers(0, len(canonical)))
        slip = data.draw(st.text(alphabet="~/?&=%+# {}0aZ\x00é", max_size=3))
        texts.append(canonical[:at] + slip + canonical[at + data.draw(st.integers(0, 3)) :])
    for one in texts:
        for api in SubscriptionApi:
            for account in (ACCOUNT, AccountId("1")):
                quick = read_by(parse_stored_filter, one, api, account)
                assert quick == read_by(parse_filter, one, api, account), one
