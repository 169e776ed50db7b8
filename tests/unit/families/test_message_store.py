"""Message store: a row for each change, with a direction where a producer gives one."""

from __future__ import annotations

from typing import Any

from bellwire.families.message_store import FAMILY


def body(*changes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"extensionId": "7", "lastUpdated": "2026-03-02T09:15:04.300Z", "changes": list(changes), **fields}


def test_each_change_is_a_row_with_its_type_in_lower_case() -> None:
    rows = FAMILY.rows(body({"type": "SMS"}, {"type": "Voicemail"}, {"type": "VoiceMail"}))

    assert rows == ({"type": ("sms",)}, {"type": ("voicemail",)}, {"type": ("voicemail",)})


def test_direction_of_a_change_wins_over_that_of_the_body() -> None:
    rows = FAMILY.rows(body({"type": "SMS", "direction": "Outbound"}, {"type": "Fax"}, direction="Inbound"))

    assert rows == (
        {"type": ("sms",), "direction": ("Outbound",)},
        {"type": ("fax",), "direction": ("Inbound",)},
    )


def test_direction_that_nobody_gives_is_left_out() -> None:
    assert "direction" not in FAMILY.rows(body({"type": "SMS"}))[0]


def test_body_without_changes_matches_no_type() -> None:
    assert FAMILY.rows(body()) == ({"type": ()},)


def test_order_is_kept_within_the_extension() -> None:
    assert FAMILY.ordering_key({"extensionId": "9"}, body()) == "7"
