"""Notifications as they go on the wire."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.engine.envelope import Envelopes, FilterEnvelope, derived_uuid, filter_envelope, wire_time
from bellwire.families import REGISTRY
from bellwire.model.event import Event
from bellwire.model.ids import AccountId, ExtensionId, Position, SubscriptionId

TOPIC = "/restapi/v1.0/account/1/extension/2/presence"
BODY = b'{"extensionId" : "2", "sequence":1.0e1,"activeCalls":[{"id":"c","sipData":{"n":0.10}}]}'


def an_event(body: bytes = BODY, *, timestamp_ms: int = 1_772_442_904_300) -> Event:
    return Event(account=AccountId("1"), uuid="u-1", chosen=True, topic=TOPIC, timestamp_ms=timestamp_ms, body=body)


def an_envelope(family: str, *projections: str, text: str = TOPIC) -> FilterEnvelope:
    found = REGISTRY.by_name(family)
    assert found is not None
    return filter_envelope(SubscriptionId("s-1"), ExtensionId("7"), text, found, frozenset(projections))


def rendered(envelope: FilterEnvelope, event: Event, *, uuid: str = "u-1") -> bytes:
    return Envelopes().render(envelope, Position(1), event, uuid)


class TestWireTime:
    @pytest.mark.parametrize(
        ("milliseconds", "text"),
        [
            (0, "1970-01-01T00:00:00.000Z"),
            (7, "1970-01-01T00:00:00.007Z"),
            (1_772_442_904_300, "2026-03-02T09:15:04.300Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ],
    )
    def test_it_is_utc_with_milliseconds(self, milliseconds: int, text: str) -> None:
        assert wire_time(milliseconds) == text


class TestDerivedUuid:
    def test_it_is_a_promise(self) -> None:
        """The same at every attempt and in every release, or receivers take a repetition for something new."""
        assert derived_uuid("u-1", TOPIC) == "2c21be5be7f1f5da4a5c269e1825db7e"

    def test_it_differs_by_event_and_by_topic(self) -> None:
        assert len({derived_uuid(uuid, topic) for uuid in ("a", "b") for topic in ("/x", "/y")}) == 4


class TestRendering:
    def test_the_six_fields_come_in_the_published_order_and_the_body_as_it_was(self) -> None:
        notification = rendered(an_envelope("presence", "sipData"), an_event())

        assert notification == (
            b'{"uuid":"u-1","event":"/restapi/v1.0/account/1/extension/2/presence",'
            b'"timestamp":"2026-03-02T09:15:04.300Z","subscriptionId":"s-1","ownerId":"7","body":' + BODY + b"}"
        )

    def test_the_filter_is_repeated_verbatim_also_where_json_needs_escapes(self) -> None:
        text = '/x?to=+16505550100&q="quoted"\\'

        assert json.loads(rendered(an_envelope("fax", text=text), an_event()))["event"] == text

    def test_a_projection_leaves_parts_out_and_keeps_spellings(self) -> None:
        plain = rendered(an_envelope("presence"), an_event())
        detailed = rendered(an_envelope("presence", "detailedTelephonyState"), an_event())

        assert plain.endswith(b'"body":{"extensionId":"2","sequence":1.0e1}}')
        assert detailed.endswith(b'"activeCalls":[{"id":"c"}]}}')

    def test_a_body_that_lacks_nothing_goes_out_as_it_was(self) -> None:
        body = b'{ "extensionId":"2" , "sequence":10 }'

        assert rendered(an_envelope("presence"), an_event(body)).endswith(b'"body":' + body + b"}")

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(10**30), 10**30)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=15,
        )
    )
    def test_what_a_projection_keeps_means_the_same(self, value: object) -> None:
        body = json.dumps({"extensionId": "2", "sequence": 1, "unknown": value, "totalActiveCalls": 0}).encode()

        document = json.loads(rendered(an_envelope("presence"), an_event(body)))

        assert document["body"] == {"extensionId": "2", "sequence": 1, "unknown": value}

    def test_a_flat_familys_fields_stand_beside_the_envelopes_which_win(self) -> None:
        body = b'{"uuid":"mine", "callId":1.50,"ownerId":"mine","nested" : {"event":"x"},"body":{}}'

        notification = rendered(an_envelope("missed_call"), an_event(body))

        assert notification == (
            b'{"uuid":"u-1","event":"/restapi/v1.0/account/1/extension/2/presence",'
            b'"timestamp":"2026-03-02T09:15:04.300Z","subscriptionId":"s-1","ownerId":"7",'
            b'"callId":1.50,"nested":{"event":"x"},"body":{}}'
        )


class TestWhatIsKept:
    def test_each_event_and_each_set_of_projections_has_its_own_body(self) -> None:
        envelopes = Envelopes(projected_bodies=2)
        plain, detailed = an_envelope("presence"), an_envelope("presence", "detailedTelephonyState")
        bodies = [b'{"extensionId":"2","sequence":%d,"activeCalls":[]}' % n for n in range(5)]

        for _ in range(2):
            for position, body in enumerate(bodies):
                for envelope, rest in ((plain, b""), (detailed, b',"activeCalls":[]')):
                    notification = envelopes.render(envelope, Position(position), an_event(body), "u")
                    assert notification.endswith(b'"sequence":%d%s}}' % (position, rest))

    def test_times_of_different_events_are_not_mixed_up(self) -> None:
        envelopes = Envelopes()
        envelope = an_envelope("presence", "sipData")
        times = [0, 1, 1, 0, 1_772_442_904_300]

        found = [
            json.loads(envelopes.render(envelope, Position(1), an_event(timestamp_ms=time), "u"))["timestamp"]
            for time in times
        ]

        assert found == [wire_time(time) for time in times]


class TestKeepingWhatIsTheSame:
    """Renderings share their parts with those before; none may show in another."""

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["presence", "missed_call", "instant_message"]),
                st.sampled_from([(), ("sipData",), ("detailedTelephonyState",)]),
                st.sampled_from([TOPIC, TOPIC + "?a=1"]),
                st.integers(0, 2),
                st.sampled_from([None, "another"]),
            ),
            max_size=20,
        )
    )
    def test_they_are_as_if_each_were_the_first(
        self, asked: list[tuple[str, tuple[str, ...], str, int, str | None]]
    ) -> None:
        events = [an_event(), an_event(BODY), an_event(b'{"extensionId":"3"}', timestamp_ms=5)]
        shared = Envelopes()
        for family, projections, text, number, uuid in asked:
            kept = projections if family == "presence" else ()
            envelope, event = an_envelope(family, *kept, text=text), events[number]

            assert shared.render(envelope, Position(number), event, uuid or event.uuid) == Envelopes().render(
                envelope, Position(number), event, uuid or event.uuid
            )
