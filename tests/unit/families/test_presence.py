"""Presence: what each projection keeps, and whose order counts."""

from __future__ import annotations

from typing import Any

import pytest

from bellwire.families.presence import FAMILY

PLAIN: dict[str, Any] = {"extensionId": "7", "sequence": 1, "presenceStatus": "Busy", "fieldOfTomorrow": 1}
BARE_CALL = {"id": "c-1", "telephonyStatus": "Ringing"}
CALL = {**BARE_CALL, "sipData": {"toTag": "t"}}
DETAILED: dict[str, Any] = {**PLAIN, "activeCalls": [BARE_CALL], "totalActiveCalls": 1, "appearances": {}}
FULL: dict[str, Any] = {**DETAILED, "activeCalls": [CALL]}

NOTHING: frozenset[str] = frozenset()
DETAILS = frozenset({"detailedTelephonyState"})
SIP = frozenset({"detailedTelephonyState", "sipData"})


@pytest.mark.parametrize(
    ("published", "wanted", "sent"),
    [
        (FULL, NOTHING, PLAIN),
        (FULL, DETAILS, DETAILED),
        (FULL, SIP, None),
        (DETAILED, NOTHING, PLAIN),
        (DETAILED, DETAILS, None),
        (DETAILED, SIP, None),
        (PLAIN, NOTHING, None),
        (PLAIN, DETAILS, None),
        (PLAIN, SIP, None),
        ({**PLAIN, "activeCalls": []}, DETAILS, None),
        ({**PLAIN, "activeCalls": []}, NOTHING, PLAIN),
    ],
)
def test_body_is_reduced_to_what_was_asked_for(
    published: dict[str, Any], wanted: frozenset[str], sent: dict[str, Any] | None
) -> None:
    assert FAMILY.project is not None

    assert FAMILY.project(published, wanted) == sent


def test_order_is_that_of_the_extension_that_changed_not_of_its_watcher() -> None:
    watcher = {"accountId": "1", "extensionId": "8"}

    assert FAMILY.ordering_key(watcher, PLAIN) == "7"


def test_order_falls_back_to_the_path() -> None:
    assert FAMILY.ordering_key({"accountId": "1", "extensionId": "8"}, {}) == "8"


def test_account_is_watched_with_other_permissions_than_an_extension() -> None:
    permissions = {template.path.rpartition("}/")[2]: template.permission for template in FAMILY.templates}

    assert permissions == {
        "presence": "ReadAccounts",
        "presence/line/presence": "ReadPresence",
        "favorite/presence": "ReadPresence",
    }
    assert FAMILY.templates[0].permission == "ReadPresence"
