"""The SMPP carrier against an SMSC that can misbehave: nothing lost, and nothing sent twice where one can know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import smpp34
from structlog.testing import capture_logs

from bellwire.carriers.smpp import SmppAccount
from bellwire.carriers.smpp_outbound import OutboundPolicy
from bellwire.errors import Unavailable
from bellwire.model.sms import DeliveryReceipt, MessageStatus, NotNow, Refused, SubmitOutcome, Submitted, SubmitUnknown
from bellwire.wire.smpp.reassembly import ReassemblyLimits
from bellwire.wire.smpp.session import SessionLimits
from bellwire.wire.smpp.timers import TimerPolicy
from tests.doubles.carrier_reports import RecordingReports
from tests.integration.carriers.opened import AN_ACCOUNT, BIND, OURS, THEIRS, a_carrier, texts
from tests.integration.carriers.scripted_smsc import Line, a_scripted_smsc
from tests.unit.wire.smpp.peer_pdus import bind_answer, deliver, raw, submit_answer

WINDOW_OF_TWO = SmppAccount(BIND, SessionLimits(window=2))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - the product has no event for it
            await asyncio.sleep(0.005)


async def answer(line: Line, message_id: str = "id", *, status: int = 0) -> smpp34.SubmitSm:
    pdu = await line.submit()
    line.write(submit_answer(pdu.sequence_number, message_id, status=status))
    return pdu


async def test_without_a_link_every_text_comes_back_at_once(tmp_path: Path) -> None:
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        outcomes = await carrier.submit(texts("a", "b"))

    assert all(isinstance(outcome, NotNow) and outcome.retry_after_seconds > 0 for outcome in outcomes)


async def test_outcomes_are_in_order_whatever_the_order_of_the_answers(tmp_path: Path) -> None:
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("a", "b", "c")))
        a, b, c = [await line.submit() for _ in range(3)]
        line.write(
            submit_answer(c.sequence_number, status=0x0B),
            submit_answer(b.sequence_number, "id-b"),
            submit_answer(a.sequence_number, "id-a"),
        )

        assert await sending == [Submitted(("id-a",)), Submitted(("id-b",)), Refused("SMS-UP-410")]
    assert (a.source_addr, a.destination_addr, a.short_message) == (OURS[1:], THEIRS[1:], b"a")
    assert (a.source_addr_ton, a.source_addr_npi, a.dest_addr_ton, a.dest_addr_npi) == (1, 1, 1, 1)


async def test_the_window_is_never_exceeded(tmp_path: Path) -> None:
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=WINDOW_OF_TWO) as carrier,
    ):
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("a", "b", "c")))
        first, second = await line.submit(), await line.submit()
        line.write(raw(0x15, sequence=500))
        assert (await line.raw()).command_id == 0x80000015  # written after all that could be
        line.write(submit_answer(first.sequence_number, "1"))
        third = await line.submit()
        line.write(submit_answer(second.sequence_number, "2"), submit_answer(third.sequence_number, "3"))

        assert await sending == [Submitted(("1",)), Submitted(("2",)), Submitted(("3",))]


async def test_a_link_that_drops_leaves_what_was_written_unknown_and_gives_the_rest_back(tmp_path: Path) -> None:
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=WINDOW_OF_TWO) as carrier,
    ):
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("a", "b", "c", "d")))
        a = await line.submit()
        line.write(submit_answer(a.sequence_number, "id-a"))
        await line.submit()
        await line.submit()
        line.cut()
        first, second, third, fourth = await sending

        assert first == Submitted(("id-a",))
        assert second == third == SubmitUnknown()
        assert isinstance(fourth, NotNow)

        again = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("d")))
        assert (await answer(again, "id-d")).short_message == b"d"
        assert await sending == [Submitted(("id-d",))]
        assert carrier.binds == 2


async def test_throttling_gives_back_what_was_not_taken_and_pauses(tmp_path: Path) -> None:
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=WINDOW_OF_TWO) as carrier,
    ):
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("a", "b", "c")))
        await answer(line, status=0x58)
        await answer(line, "id-b")
        first, second, third = await sending
        later = await carrier.submit(texts("d"))

        assert isinstance(first, NotNow)
        assert 0 < first.retry_after_seconds <= 1
        assert second == Submitted(("id-b",))
        assert isinstance(third, NotNow)
        assert isinstance(later[0], NotNow)
        line.write(raw(0x15, sequence=500))
        assert (await line.raw()).command_id == 0x80000015  # no text came before
    assert carrier.answers == {"not_now": 1, "taken": 1}


async def test_of_a_long_text_that_is_throttled_half_way_only_the_rest_is_sent_again(tmp_path: Path) -> None:
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("x" * 300)))
        first = await answer(line, "id-1")
        second = await answer(line, status=0x14)
        again = await answer(line, "id-2")

        assert await sending == [Submitted(("id-1", "id-2"))]
    assert first.short_message[5] == 1
    assert second.short_message == again.short_message
    assert first.short_message[3] == again.short_message[3]


async def test_the_rest_of_a_half_taken_text_is_sent_on_the_next_link(tmp_path: Path) -> None:
    one_by_one = SmppAccount(BIND, SessionLimits(window=1))
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=one_by_one) as carrier,
    ):
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("x" * 300)))
        first = await line.submit()
        # At once: the peer takes the first, and takes its leave before the second can be written.
        line.write(submit_answer(first.sequence_number, "id-1"), raw(0x6, sequence=9))
        assert (await line.raw()).command_id == 0x80000006

        line = await smsc.bound_line()
        second = await answer(line, "id-2")
        assert await sending == [Submitted(("id-1", "id-2"))]
    assert (first.short_message[5], second.short_message[5]) == (1, 2)
    assert first.short_message[3] == second.short_message[3]


async def test_a_half_taken_text_that_cannot_be_finished_is_unknown(tmp_path: Path) -> None:
    account = SmppAccount(BIND, outbound=OutboundPolicy(half_taken_seconds=0.2))
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=account) as carrier,
    ):
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("x" * 300)))
        await answer(line, "id-1")
        await answer(line, status=0x58)

        assert await sending == [SubmitUnknown()]
    assert carrier.waiting_texts == 0


async def test_a_text_that_the_peer_never_can_take_just_now_is_refused_in_the_end(tmp_path: Path) -> None:
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        outcomes: list[SubmitOutcome] = []
        for _ in range(10):
            sending = asyncio.create_task(carrier.submit(texts("a")))
            await answer(line, status=0x64)
            outcomes += await sending

    assert all(isinstance(outcome, NotNow) for outcome in outcomes[:9])
    assert outcomes[9] == Refused("SMS-UP-500")


async def test_an_answer_that_does_not_come_leaves_the_text_unknown_and_the_link_up(tmp_path: Path) -> None:
    account = SmppAccount(BIND, SessionLimits(timers=TimerPolicy(response=0.2)))
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=account) as carrier,
    ):
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)

        assert await carrier.submit(texts("a")) == [SubmitUnknown()]
        await line.submit()
        sending = asyncio.create_task(carrier.submit(texts("b")))
        await answer(line, "id-b")
        assert await sending == [Submitted(("id-b",))]
        assert carrier.binds == 1


async def test_a_peer_that_stops_talking_is_left_and_bound_again(tmp_path: Path) -> None:
    timers = TimerPolicy(enquire_link=0.1, response=0.2)
    account = SmppAccount(BIND, SessionLimits(timers=timers))
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=account) as carrier,
    ):
        line = await smsc.bound_line()
        enquiry = await line.raw()
        line.write(raw(0x80000015, sequence=enquiry.sequence_number))
        assert (await line.raw()).command_id == 0x15
        with capture_logs() as logs:
            assert await line.at_end()
            await (await smsc.line()).accept_bind()
            await until(lambda: carrier.binds == 2)

    lost = [entry for entry in logs if entry["event"] == "bind.lost"]
    assert [entry["reason"] for entry in lost] == ["silent"]


async def test_a_peer_that_unbinds_is_answered_and_bound_again(tmp_path: Path) -> None:
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        line = await smsc.bound_line()
        line.write(raw(0x6, sequence=44))

        leave = await line.raw()
        assert (leave.command_id, leave.sequence_number) == (0x80000006, 44)
        assert await line.at_end()
        await smsc.bound_line()
        await until(lambda: carrier.binds == 2)


async def test_a_wrong_password_is_said_and_tried_again_but_not_shown(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with a_scripted_smsc() as smsc, a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
            line = await smsc.line()
            bind = await line.raw()
            assert bind.body.startswith(b"bellwire\0secret\0")
            line.write(bind_answer(status=0x0E, sequence=bind.sequence_number))
            assert await line.at_end()
            await smsc.bound_line()
            await until(lambda: carrier.is_bound)

    refused = [entry for entry in logs if entry["event"] == "bind.refused"]
    assert [entry["detail"] for entry in refused] == ["the password is wrong"]
    assert "secret" not in str(logs)


async def test_stopping_waits_for_answers_and_unbinds(tmp_path: Path) -> None:
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("a")))
        pdu = await line.submit()
        stopping = asyncio.create_task(carrier.stop(drain_seconds=20))
        await asyncio.sleep(0)  # lets it begin
        late = await carrier.submit(texts("b"))
        line.write(submit_answer(pdu.sequence_number, "id"))
        await line.accept_unbind()
        await stopping

        assert isinstance(late[0], NotNow)
        assert await sending == [Submitted(("id",))]
        assert await line.at_end()


async def test_a_caller_that_gives_up_takes_back_what_was_not_begun(tmp_path: Path) -> None:
    one_by_one = SmppAccount(BIND, SessionLimits(window=1))
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=one_by_one) as carrier,
    ):
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("a", "b")))
        first = await line.submit()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        line.write(submit_answer(first.sequence_number, "id"), raw(0x15, sequence=500))

        assert (await line.raw()).command_id == 0x80000015  # and no submit_sm for b
        assert carrier.waiting_texts == 0


# What comes in.


async def test_a_text_is_acknowledged_only_once_it_is_durable(tmp_path: Path) -> None:
    reports = RecordingReports()
    reports.is_open.clear()
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path):
        line = await smsc.bound_line()
        line.write(deliver(b"STOP", sequence=9))
        await reports.until(lambda: reports.asked == 1)
        line.write(raw(0x15, sequence=500))
        assert (await line.raw()).command_id == 0x80000015  # other answers are not held up

        reports.is_open.set()
        acknowledged = await line.raw()

    assert (acknowledged.command_id, acknowledged.command_status, acknowledged.sequence_number) == (0x80000005, 0, 9)
    (text,) = reports.texts
    assert (text.sender, text.recipient, text.text, text.carrier_key) == (THEIRS, OURS, "STOP", None)


@pytest.mark.parametrize("problem", [Unavailable("the disk is full"), RuntimeError("our bug")])
async def test_what_cannot_be_kept_now_stays_with_the_peer(tmp_path: Path, problem: Exception) -> None:
    reports = RecordingReports()
    reports.fail_with = lambda _: problem
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path) as carrier:
        line = await smsc.bound_line()
        with capture_logs():
            line.write(deliver(b"STOP", sequence=9))
            refused = await line.raw()
        reports.fail_with = lambda _: None
        line.write(deliver(b"STOP", sequence=10))
        acknowledged = await line.raw()

    assert (refused.command_status, refused.sequence_number) == (0x64, 9)
    assert (acknowledged.command_status, acknowledged.sequence_number) == (0, 10)
    assert [text.text for text in reports.texts] == ["STOP"]
    assert carrier.arrivals == {"put_off": 1, "texts": 1}


async def test_one_that_we_stumble_over_does_not_hold_up_the_others(tmp_path: Path) -> None:
    reports = RecordingReports()
    reports.fail_with = lambda thing: ValueError("our bug") if getattr(thing, "text", "") == "2" else None
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path):
        line = await smsc.bound_line()
        with capture_logs():
            line.write(*(deliver(str(n).encode(), sequence=n) for n in (1, 2, 3)))
            answers = [await line.raw() for _ in range(3)]

    assert {(one.sequence_number, one.command_status) for one in answers} == {(1, 0), (2, 0x64), (3, 0)}
    assert [text.text for text in reports.texts] == ["1", "3"]


async def test_receipts_are_handed_on_by_the_id_of_the_response(tmp_path: Path) -> None:
    reports = RecordingReports()
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path):
        line = await smsc.bound_line()
        line.write(
            deliver(b"id:77 stat:DELIVRD err:000 text:STOP", sequence=1, esm_class=4),
            deliver(b"", sequence=2, esm_class=4, tlvs={0x1E: b"78\0", 0x427: b"\x05"}),
            deliver(b"nonsense", sequence=3, esm_class=4),
        )
        answers = [await line.raw() for _ in range(3)]

    assert [one.command_status for one in answers] == [0, 0, 0]
    assert reports.receipts_got == [
        DeliveryReceipt("77", MessageStatus.DELIVERED),
        DeliveryReceipt("78", MessageStatus.DELIVERY_FAILED, "SMS-CAR-412"),
    ]
    assert reports.texts == []


@pytest.mark.parametrize(
    ("pdu", "status"),
    [
        (deliver(b"x", source="Bank"), 0x0A),
        (deliver(b"x", destination="22395"), 0x0B),
        (deliver(b"\1\2", data_coding=4), 0x65),
    ],
)
async def test_what_is_no_text_from_a_number_to_a_number_is_refused_for_good(
    tmp_path: Path, pdu: bytes, status: int
) -> None:
    reports = RecordingReports()
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path):
        line = await smsc.bound_line()
        line.write(pdu)

        assert (await line.raw()).command_status == status
    assert reports.texts == []


def parts(*contents: str, reference: int = 5) -> list[bytes]:
    return [
        deliver(
            bytes((5, 0, 3, reference, len(contents), number)) + content.encode("utf-16-be"),
            sequence=number,
            esm_class=0x40,
            data_coding=8,
        )
        for number, content in enumerate(contents, 1)
    ]


async def test_a_long_text_is_joined_also_for_a_peer_that_waits_for_each_acknowledgement(tmp_path: Path) -> None:
    reports = RecordingReports()
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path):
        line = await smsc.bound_line()
        for part in parts("Привет, ", "мир ", "\N{SMILING FACE WITH OPEN MOUTH}"):
            assert reports.texts == []
            line.write(part)
            assert (await line.raw()).command_status == 0
        await reports.until(lambda: len(reports.texts) == 1)

        line.write(parts("Привет, ", "мир ", "\N{SMILING FACE WITH OPEN MOUTH}")[2])
        assert (await line.raw()).command_status == 0

    (text,) = reports.texts
    assert text.text == "Привет, мир \N{SMILING FACE WITH OPEN MOUTH}"
    assert text.carrier_key is not None


async def test_parts_that_were_acknowledged_outlive_the_process(tmp_path: Path) -> None:
    reports = RecordingReports()
    first, second = parts("one ", "two")
    async with a_scripted_smsc() as smsc:
        async with a_carrier(smsc.port, reports, tmp_path):
            line = await smsc.bound_line()
            line.write(first)
            assert (await line.raw()).command_status == 0
        async with a_carrier(smsc.port, reports, tmp_path):
            line = await smsc.bound_line()
            line.write(second)
            await reports.until(lambda: len(reports.texts) == 1)

    assert reports.texts[0].text == "one two"


async def test_a_long_text_is_handed_on_again_by_the_same_key_until_it_is_durable(tmp_path: Path) -> None:
    reports = RecordingReports()
    keys: list[str | None] = []

    def refuse_once(thing: object) -> Exception | None:
        keys.append(getattr(thing, "carrier_key", None))
        return Unavailable("busy") if len(keys) == 1 else None

    reports.fail_with = refuse_once
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path):
        line = await smsc.bound_line()
        with capture_logs():
            line.write(*parts("one ", "two"))
            await reports.until(lambda: len(reports.texts) == 1)

    assert len(keys) == 2
    assert keys[0] == keys[1] is not None


async def test_what_has_come_of_a_text_is_handed_on_when_the_rest_does_not_come(tmp_path: Path) -> None:
    reports = RecordingReports()
    account = replace(AN_ACCOUNT, reassembly=ReassemblyLimits(wait_ms=200))
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path, account=account) as carrier:
        line = await smsc.bound_line()
        with capture_logs():
            line.write(parts("one ", "two ", "three")[1])
            await reports.until(lambda: len(reports.texts) == 1)
            await until(lambda: carrier.waiting_parts == 0)

    assert reports.texts[0].text == "…two …"


async def test_an_unreadable_pdu_costs_nothing_but_itself(tmp_path: Path) -> None:
    reports = RecordingReports()
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path):
        line = await smsc.bound_line()
        line.write(raw(0x5, sequence=3, body=b"no strings"), raw(0x103, sequence=4), deliver(b"Hi", sequence=5))
        answers = {
            (one.sequence_number, one.command_id, one.command_status) for one in [await line.raw() for _ in "123"]
        }

    assert answers == {(3, 0x80000005, 0xC2), (4, 0x80000000, 0x03), (5, 0x80000005, 0)}
    assert [text.text for text in reports.texts] == ["Hi"]


async def test_framing_that_cannot_be_trusted_ends_the_link_and_a_new_one_is_made(tmp_path: Path) -> None:
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        line = await smsc.bound_line()
        line.write(b"\xff\xff\xff\xff" + b"x" * 100)

        assert (await line.raw()).command_id == 0x80000000
        assert await line.at_end()
        await smsc.bound_line()
        await until(lambda: carrier.binds == 2)


async def test_no_text_and_no_whole_number_is_logged(tmp_path: Path) -> None:
    reports = RecordingReports()
    with capture_logs() as logs:
        async with a_scripted_smsc() as smsc, a_carrier(smsc.port, reports, tmp_path) as carrier:
            line = await smsc.bound_line()
            await until(lambda: carrier.is_bound)
            line.write(
                deliver(b"private words", sequence=1),
                deliver(b"private words", sequence=2, source="Bank"),
                deliver(b"id:1 stat:UNDELIV text:private words", sequence=3, esm_class=4),
                raw(0x5, sequence=4, body=b"private words"),
            )
            for _ in range(4):
                await line.raw()
            sending = asyncio.create_task(carrier.submit(texts("private words")))
            await answer(line, status=0x0B)
            await sending

    assert logs
    assert "private" not in str(logs)
    assert THEIRS[1:] not in str(logs)
    assert OURS[1:] not in str(logs)


# How much it is given.


async def test_there_is_room_once_there_is_a_link_and_as_much_as_the_window_has(tmp_path: Path) -> None:
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=WINDOW_OF_TWO) as carrier,
    ):
        waiting = asyncio.create_task(carrier.room())
        line = await smsc.line()
        assert not waiting.done()
        await line.accept_bind()
        assert await waiting == 2

        sending = asyncio.create_task(carrier.submit(texts("a", "b")))
        first, second = await line.submit(), await line.submit()
        waiting = asyncio.create_task(carrier.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        line.write(submit_answer(first.sequence_number, "1"))
        assert await waiting == 1
        line.write(submit_answer(second.sequence_number, "2"))
        await sending
        assert await carrier.room() == 2


async def test_while_the_peer_wants_a_pause_there_is_no_room(tmp_path: Path) -> None:
    async with a_scripted_smsc() as smsc, a_carrier(smsc.port, RecordingReports(), tmp_path) as carrier:
        line = await smsc.bound_line()
        await until(lambda: carrier.is_bound)
        sending = asyncio.create_task(carrier.submit(texts("a")))
        await answer(line, status=0x58)
        await sending
        waiting = asyncio.create_task(carrier.room())
        await asyncio.sleep(0)
        assert not waiting.done()

        assert await waiting == 10
        sending = asyncio.create_task(carrier.submit(texts("a")))
        await answer(line, "id")
        assert await sending == [Submitted(("id",))]


async def test_where_little_a_second_was_agreed_little_is_taken(tmp_path: Path) -> None:
    account = SmppAccount(BIND, SessionLimits(window=100, submits_per_second=3.0))
    async with (
        a_scripted_smsc() as smsc,
        a_carrier(smsc.port, RecordingReports(), tmp_path, account=account) as carrier,
    ):
        await smsc.bound_line()

        assert await carrier.room() == 3
