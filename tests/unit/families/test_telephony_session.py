"""Call sessions: rows by party, and SIP data only where asked for."""

from __future__ import annotations

from typing import Any

from bellwire.families.telephony_session import FAMILY


def party(**fields: Any) -> dict[str, Any]:
    return {"id": "p-1", "direction": "Inbound", "status": {"code": "Setup"}, **fields}


def session(*parties: dict[str, Any]) -> dict[str, Any]:
    return {
        "sequence": 1,
        "telephonySessionId": "s-1",
        "eventTime": "2026-03-02T11:00:02.500Z",
        "parties": list(parties),
    }


def test_each_party_is_a_row_of_its_own() -> None:
    body = session(
        party(
            **{"from": {"phoneNumber": "+12025550188"}, "to": {"phoneNumber": "+12025550143"}},
            status={"code": "Answered"},
        ),
        party(direction="Outbound", missedCall=True, recordings=[{"id": "1"}]),
    )

    assert FAMILY.rows(body) == (
        {
            "direction": ("Inbound",),
            "missedCall": ("false",),
            "phoneNumber": ("+12025550188", "+12025550143"),
            "statusCode": ("Answered",),
            "withRecordings": ("false",),
        },
        {
            "direction": ("Outbound",),
            "missedCall": ("true",),
            "phoneNumber": (),
            "statusCode": ("Setup",),
            "withRecordings": ("true",),
        },
    )


def test_number_without_plus_is_compared_with_it() -> None:
    rows = FAMILY.rows(session(party(**{"from": {"phoneNumber": "12025550188"}, "to": {"phoneNumber": "102"}})))

    assert rows[0]["phoneNumber"] == ("+12025550188", "+102")


def test_number_that_is_none_stays_as_it_is() -> None:
    rows = FAMILY.rows(session(party(**{"from": {"phoneNumber": "anonymous"}, "to": {"name": "Ada"}})))

    assert rows[0]["phoneNumber"] == ("anonymous",)


def test_empty_recordings_are_none() -> None:
    assert FAMILY.rows(session(party(recordings=[])))[0]["withRecordings"] == ("false",)


def test_session_without_parties_matches_no_predicate() -> None:
    (row,) = FAMILY.rows(session())

    assert set(row.values()) == {()}
    assert set(row) == {"direction", "missedCall", "phoneNumber", "statusCode", "withRecordings"}


def test_order_is_kept_within_a_session() -> None:
    assert FAMILY.ordering_key({"accountId": "1"}, session()) == "s-1"


class TestProjection:
    body = session(party(sipData={"callId": "c-1"}, muted=False), party(muted=True))

    def test_sip_data_is_left_out_where_it_was_not_asked_for(self) -> None:
        assert FAMILY.project is not None

        projected = FAMILY.project(self.body, frozenset())

        assert projected == session(party(muted=False), party(muted=True))

    def test_all_goes_out_where_it_was_asked_for(self) -> None:
        assert FAMILY.project is not None

        assert FAMILY.project(self.body, frozenset({"sipData"})) is None

    def test_body_without_sip_data_goes_out_as_published(self) -> None:
        assert FAMILY.project is not None

        assert FAMILY.project(session(party()), frozenset()) is None
