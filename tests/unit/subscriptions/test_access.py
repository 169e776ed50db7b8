"""Who may subscribe to what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bellwire.errors import Forbidden
from bellwire.filters import EventFilter, parse_filter
from bellwire.model.directory import Account, Extension, Status
from bellwire.model.identity import Application
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.model.permission import Permission
from bellwire.model.subscription import SubscriptionApi
from bellwire.subscriptions.access import judge_access, judge_all, require_some, why_owner_is_disabled

ALL = frozenset(Permission)
ACCOUNT = AccountId("1")


def extension(id_: str, account: str = "1", *, is_admin: bool = False) -> Extension:
    return Extension(
        id=ExtensionId(id_), account_id=AccountId(account), extension_number=id_, first_name=id_, is_admin=is_admin
    )


ADMIN, USER, OTHER, STRANGER = extension("11", is_admin=True), extension("12"), extension("13"), extension("21", "2")
BARE = replace(USER, permissions=frozenset())
DIRECTORY = {each.id: each for each in (ADMIN, USER, OTHER, STRANGER)}
PRESENCE = "/restapi/v1.0/account/~/extension/{}/presence"
STORE = "/restapi/v1.0/account/~/extension/{}/message-store"


def parsed(text: str, owner: Extension = USER) -> EventFilter:
    return parse_filter(text, account=ACCOUNT, extension=owner.id, api=SubscriptionApi.GENERAL)


def code_of(text: str, owner: Extension = USER, scope: frozenset[Permission] = ALL) -> str | None:
    denial = judge_access(parsed(text, owner), scope, owner, DIRECTORY.get)
    return None if denial is None else denial.code


@pytest.mark.parametrize(
    ("text", "owner", "code"),
    [
        (PRESENCE.format("~"), BARE, None),
        (PRESENCE.format("12"), BARE, None),
        (PRESENCE.format("13"), USER, None),
        (PRESENCE.format("13"), BARE, "SUB-403"),
        (STORE.format("~"), USER, None),
        (STORE.format("13"), USER, "SUB-405"),
        (STORE.format("13"), ADMIN, None),
        ("/restapi/v1.0/account/~/extension/13/missed-calls", USER, "SUB-527"),
        ("/restapi/v1.0/account/~/presence", BARE, "SUB-403"),
        ("/restapi/v1.0/account/~/telephony/sessions", USER, "CMN-408"),
        ("/restapi/v1.0/account/~/telephony/sessions", ADMIN, None),
        (PRESENCE.format("99"), ADMIN, "SUB-408"),
        (PRESENCE.format("21"), ADMIN, "SUB-408"),
    ],
)
def test_a_user_sees_its_own_and_what_its_rights_add(text: str, owner: Extension, code: str | None) -> None:
    assert code_of(text, owner) == code


def test_the_application_needs_the_permission_whoever_the_user_is() -> None:
    assert code_of(PRESENCE.format("~"), ADMIN, frozenset({Permission.READ_MESSAGES})) == "CMN-401"
    assert code_of(PRESENCE.format("~"), ADMIN, frozenset({Permission.READ_PRESENCE})) is None


def test_a_reminder_needs_no_permission() -> None:
    assert code_of("/restapi/v1.0/subscription/~?threshold=60&interval=15", BARE, frozenset()) is None


def test_case_46_what_is_not_permitted_is_disabled_with_reason_and_the_rest_is_kept() -> None:
    filters = [parsed(STORE.format("13")), parsed(PRESENCE.format("~"))]
    judgement = require_some(judge_all(filters, ALL, USER, DIRECTORY.get))
    assert [event_filter.text for event_filter in judgement.allowed] == [
        "/restapi/v1.0/account/1/extension/12/presence"
    ]
    (disabled,) = judgement.disabled()
    assert disabled.filter == "/restapi/v1.0/account/1/extension/13/message-store"
    assert disabled.reason == "SUB-412"
    assert "ReadCompanyMessages" in disabled.message


def test_when_nothing_is_left_each_filter_says_why_and_the_first_gives_the_code() -> None:
    filters = [parsed(STORE.format("13")), parsed("/restapi/v1.0/account/~/telephony/sessions")]
    with pytest.raises(Forbidden) as refused:
        require_some(judge_all(filters, ALL, USER, DIRECTORY.get))
    assert [entry.code for entry in refused.value.entries] == ["SUB-405", "CMN-408"]
    assert refused.value.entries[0].value == "/restapi/v1.0/account/1/extension/13/message-store"


def test_an_unknown_extension_refuses_the_request_even_when_other_filters_are_allowed() -> None:
    filters = [parsed(PRESENCE.format("~")), parsed(PRESENCE.format("99"))]
    with pytest.raises(Forbidden) as refused:
        require_some(judge_all(filters, ALL, USER, DIRECTORY.get))
    assert [entry.code for entry in refused.value.entries] == ["SUB-408"]


@pytest.mark.parametrize("disabled", ["application", "account", "user"])
def test_an_owner_is_disabled_with_its_application_or_account_or_by_itself(disabled: str) -> None:
    status = {
        name: Status.DISABLED if name == disabled else Status.ENABLED for name in ("application", "account", "user")
    }
    why = why_owner_is_disabled(
        Application(
            client_id=ClientId("app"), name="app", secret_hash=None, permissions=ALL, status=status["application"]
        ),
        Account(id=ACCOUNT, company_name="Company", status=status["account"]),
        replace(USER, status=status["user"]),
    )
    assert why is not None
    assert disabled in why
