"""The parser against the published filter strings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bellwire.errors import InvalidRequest
from bellwire.filters import FilterRefused, parse_filter
from bellwire.model.ids import AccountId, ExtensionId, SubscriptionId
from bellwire.model.subscription import SubscriptionApi
from tests.contract import published_reference as reference

pytestmark = pytest.mark.skipif(not reference.IS_HERE, reason=reference.ABSENT)

ACCOUNT = AccountId(reference.PLACEHOLDERS["accountId"])
EXTENSION = ExtensionId(reference.PLACEHOLDERS["extensionId"])
ORIGINALS = reference.FOLDER.parent / "original"

SEED_STRINGS = sorted(
    {
        (seed["string"], entry["id"], entry["endpoint"])
        for entry in reference.filters()
        if entry["in_seed"]
        for seed in entry["seeds"]
    }
)


def api_of(endpoint: str) -> SubscriptionApi:
    return SubscriptionApi.WEBINAR if endpoint == "webinar subscription" else SubscriptionApi.GENERAL


@pytest.mark.parametrize(
    ("string", "entry_id", "endpoint"), SEED_STRINGS, ids=[string for string, _, _ in SEED_STRINGS]
)
class TestEachSeedString:
    def test_parses_with_the_callers_ids(self, string: str, entry_id: str, endpoint: str) -> None:
        text = reference.with_ids(string)

        parsed = parse_filter(text, account=ACCOUNT, extension=EXTENSION, api=api_of(endpoint))

        assert parsed.text == text.replace("/~", f"/{ACCOUNT}")

    def test_parses_with_tildes(self, string: str, entry_id: str, endpoint: str) -> None:
        concrete = reference.with_ids(string).replace("/account/~", f"/account/{ACCOUNT}")
        text = reference.with_ids(string, accountId="~", extensionId="~")

        parsed = parse_filter(text, account=ACCOUNT, extension=EXTENSION, api=api_of(endpoint))

        assert parsed == parse_filter(concrete, account=ACCOUNT, extension=EXTENSION, api=api_of(endpoint))
        assert parsed.text == concrete

    def test_is_refused_at_the_other_endpoint(self, string: str, entry_id: str, endpoint: str) -> None:
        here = api_of(endpoint)
        other = SubscriptionApi.GENERAL if here is SubscriptionApi.WEBINAR else SubscriptionApi.WEBINAR

        with pytest.raises(FilterRefused) as refused:
            parse_filter(reference.with_ids(string), account=ACCOUNT, extension=EXTENSION, api=other)

        assert refused.value.code == "SUB-508"


def test_all_strings_of_the_original_documents_are_in_the_table() -> None:
    written: set[str] = set()
    for document in sorted(Path(ORIGINALS).glob("*.txt")):
        for line in document.read_text().splitlines():
            written.update(re.findall(r"^(/(?:restapi|team-messaging|webinar)/\S+)", line))

    assert len(written) == 36
    assert written == {string for string, _, _ in SEED_STRINGS}


@pytest.mark.parametrize("entry", reference.filters(), ids=lambda entry: entry["id"])
def test_each_published_filter_means_its_parameters(entry: dict[str, Any]) -> None:
    text = reference.with_ids(entry["template"])

    parsed = parse_filter(
        text,
        account=ACCOUNT,
        extension=EXTENSION,
        api=api_of(entry["endpoint"]),
        subscription=SubscriptionId("6d1f5d0e-6a5c-4d2c-8a53-2f0f6f6f0a01"),
    )

    roles = {parameter["name"]: parameter["role"] for parameter in entry["query_parameters"]}
    written = dict(pair.split("=") for pair in text.partition("?")[2].split("&") if pair)
    compared = {name for name, _ in parsed.predicates}
    assert compared == {name for name in written if roles[name] == "predicate"} - {"usageType"}
    assert parsed.projections == {name for name in written if roles[name] == "projection"}
    assert dict(parsed.schedule) == {name: int(of) for name, of in written.items() if roles[name] == "schedule"}
    assert parsed.extension == (EXTENSION if "{extensionId}" in entry["template"] else None)
    assert parsed.account == ACCOUNT


@pytest.mark.parametrize("example", reference.examples(), ids=lambda example: example.file)
def test_the_event_of_each_example_is_a_filter_in_canonical_form(example: reference.Example) -> None:
    account = re.search(r"/accounts?/(\d+)", example.event)
    owner = AccountId(account[1]) if account is not None else ACCOUNT

    parsed = parse_filter(example.event, account=owner, extension=EXTENSION, api=api_of(example.filter["endpoint"]))

    assert parsed.text == example.event


@pytest.mark.parametrize("entry", reference.filters(), ids=lambda entry: entry["id"])
def test_each_published_filter_is_refused_with_a_parameter_nobody_knows(entry: dict[str, Any]) -> None:
    text = reference.with_ids(entry["template"])

    with pytest.raises(InvalidRequest) as refused:
        parse_filter(
            f"{text}{'&' if '?' in text else '?'}nobody=1",
            account=ACCOUNT,
            extension=EXTENSION,
            api=api_of(entry["endpoint"]),
        )

    assert refused.value.code == "SUB-508"
    assert "nobody" in refused.value.message or "takes no parameters" in refused.value.message
