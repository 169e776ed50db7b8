"""What every store that High Volume SMS is written to must do: intake, progress, consents and outbox are one.

A backend's test class gives `stores`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.sms import (
    BatchId,
    BatchStatus,
    ConsentSource,
    ConsentStatus,
    DeliveryReceipt,
    InboundText,
    MessageDirection,
    MessageId,
    MessageStatus,
)
from bellwire.model.sms_records import Batch, ConsentChange, Message
from bellwire.ports.consents import ConsentQuery, ConsentReading, ConsentWriter
from bellwire.ports.outbox import Outbox
from bellwire.ports.slices import Slice
from bellwire.ports.sms_progress import Processed, QueuedMessage, Received, SmsProgress, Waiting
from bellwire.ports.sms_store import BatchIntake, BatchKey, BatchQuery, MessageQuery, NewMessage, SmsReading

ACCOUNT = AccountId("1")
OURS = "+16505550180"
NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
NONE: frozenset[BatchKey] = frozenset()


@dataclass(frozen=True, slots=True)
class SmsStores:
    """Over the same records; the account is there."""

    intake: BatchIntake
    progress: SmsProgress
    consents: ConsentWriter
    outbox: Outbox
    reading: SmsReading
    consent_reading: ConsentReading

    async def told(self) -> list[dict[str, Any]]:
        """The bodies of the events in the outbox, in order."""
        return [msgspec.json.decode(outgoing.event.body) for outgoing in await self.outbox.first(1000)]

    async def told_statuses(self) -> list[str]:
        """Of messages: their statuses; of batches: status and count; of opt-outs: whether active."""
        return [
            body.get("messageStatus")
            or (f"{body['status']} {body['processedCount']}" if "status" in body else f"active {body['active']}")
            for body in await self.told()
        ]

    async def forget_told(self) -> None:
        if events := await self.outbox.first(1000):
            await self.outbox.remove(events[-1].place)

    async def listed(self) -> list[Message]:
        found = await self.reading.messages(ACCOUNT, MessageQuery(), Slice(1000), with_text=True)
        return [placed.record for placed in found]

    async def batch(self, of: Batch) -> Batch:
        found = await self.reading.batch(ACCOUNT, of.id)
        assert found is not None
        return found


def theirs(number: int) -> str:
    return f"+1202555{number:04}"


def a_batch(name: str = "b-1", **more: Any) -> Batch:
    return Batch(
        **{
            "id": BatchId(name),
            "account_id": ACCOUNT,
            "sender": OURS,
            "size": 0,
            "processed": 0,
            "status": BatchStatus.PROCESSING,
            "cost_micros": 0,
            "created_at": NOW,
            "modified_at": NOW,
            **more,
        }
    )


def some(*numbers: int) -> list[NewMessage]:
    return [NewMessage(theirs(number), None, None) for number in numbers]


async def accepted(stores: SmsStores, messages: Sequence[NewMessage], name: str = "b-1") -> Waiting:
    """A batch that was taken in whole."""
    batch = a_batch(name)
    key = await stores.intake.begin(batch)
    await stores.intake.add(key, batch, messages)
    await stores.intake.accept(key, replace(batch, size=len(messages)), text="hello", segments=1)
    return Waiting(key, ACCOUNT, OURS, len(messages))


async def queued(stores: SmsStores, *numbers: int) -> tuple[Waiting, list[QueuedMessage]]:
    """A batch to these numbers and its messages, nothing of it in the outbox."""
    waiting = await accepted(stores, some(*numbers))
    await stores.forget_told()
    return waiting, await stores.progress.queued(waiting, after=None, limit=100)


def sent(message: QueuedMessage, *carrier_ids: str) -> Processed:
    return Processed(message, MessageStatus.SENT, 7000, carrier_ids=carrier_ids)


def refused(message: QueuedMessage, code: str = "SMS-UP-410") -> Processed:
    return Processed(message, MessageStatus.SENDING_FAILED, error_code=code)


def delivered(carrier_id: str) -> DeliveryReceipt:
    return DeliveryReceipt(carrier_id, MessageStatus.DELIVERED)


def not_delivered(carrier_id: str, code: str = "SMS-CAR-412") -> DeliveryReceipt:
    return DeliveryReceipt(carrier_id, MessageStatus.DELIVERY_FAILED, code)


def a_text(text: str = "hi", *, key: str | None = None, sender: str | None = None) -> InboundText:
    return InboundText(sender or theirs(1), OURS, text, NOW, key)


def received(text: InboundText, **more: Any) -> Received:
    return Received(
        **{"account_id": ACCOUNT, "text": text, "segments": 1, "cost_micros": 7000, "consent": None, **more}
    )


def a_change(status: ConsentStatus, number: int = 1, source: ConsentSource = ConsentSource.API) -> ConsentChange:
    return ConsentChange(
        account_id=ACCOUNT,
        sender=OURS,
        recipient=theirs(number),
        status=status,
        source=source,
        actor=ExtensionId("101"),
        method="consents v2",
        created_at=NOW,
    )


class SmsStoresContract:
    # Intake

    async def test_a_batch_is_seen_whole_or_not_at_all(self, stores: SmsStores) -> None:
        batch = a_batch()
        key = await stores.intake.begin(batch)
        await stores.intake.add(key, batch, some(1, 2))
        await stores.intake.add(key, batch, [NewMessage(theirs(3), "own", 2)])

        assert await stores.listed() == []
        assert await stores.reading.batch(ACCOUNT, batch.id) is None
        assert await stores.reading.batches(ACCOUNT, BatchQuery(), Slice(10)) == []
        assert await stores.progress.waiting() == []
        assert await stores.outbox.size() == 0

        whole = replace(batch, size=3, modified_at=LATER)
        await stores.intake.accept(key, whole, text="hello", segments=1)

        assert await stores.batch(batch) == whole
        messages = await stores.listed()
        assert [(one.recipient, one.text, one.segments) for one in messages] == [
            (theirs(1), "hello", 1),
            (theirs(2), "hello", 1),
            (theirs(3), "own", 2),
        ]
        assert {(one.status, one.direction, one.batch_id, one.created_at, one.cost_micros) for one in messages} == {
            (MessageStatus.QUEUED, MessageDirection.OUTBOUND, batch.id, NOW, None)
        }
        assert await stores.progress.waiting() == [Waiting(key, ACCOUNT, OURS, 3)]
        assert await stores.told_statuses() == ["Processing 0"]

    async def test_ids_ascend_and_are_digits(self, stores: SmsStores) -> None:
        await accepted(stores, some(1, 2), "b-1")
        await accepted(stores, some(3), "b-2")
        ids = [one.id for one in await stores.listed()]
        assert all(id_.isdecimal() for id_ in ids)
        assert sorted(ids, key=int) == ids

    async def test_what_is_discarded_is_gone_and_its_ids_do_not_come_again(self, stores: SmsStores) -> None:
        before = await accepted(stores, some(1))
        doomed = a_batch("b-2")
        key = await stores.intake.begin(doomed)
        await stores.intake.add(key, doomed, some(2, 3))
        await stores.intake.discard(key)
        await accepted(stores, some(4), "b-3")

        assert [one.recipient for one in await stores.listed()] == [theirs(1), theirs(4)]
        first, last = (int(one.id) for one in await stores.listed())
        assert last > first + 2
        assert before.key is not None

    async def test_leftovers_of_a_crash_are_discarded_and_nothing_else(self, stores: SmsStores) -> None:
        await accepted(stores, some(1))
        for name in ("b-2", "b-3"):
            left = a_batch(name)
            await stores.intake.add(await stores.intake.begin(left), left, some(2))
        assert await stores.intake.discard_leftovers() == 2
        assert await stores.intake.discard_leftovers() == 0
        assert [one.recipient for one in await stores.listed()] == [theirs(1)]

    async def test_a_sender_that_is_named_late_is_that_of_each_message(self, stores: SmsStores) -> None:
        batch = a_batch(sender="")
        key = await stores.intake.begin(batch)
        await stores.intake.add(key, batch, some(1, 2))
        await stores.intake.name_sender(key, OURS)
        named = replace(batch, sender=OURS, size=3)
        await stores.intake.add(key, named, some(3))
        await stores.intake.accept(key, named, text="hello", segments=1)
        assert [one.sender for one in await stores.listed()] == [OURS] * 3

    # Queue

    async def test_queued_messages_are_read_in_order_page_by_page(self, stores: SmsStores) -> None:
        waiting = await accepted(stores, [*some(1, 2), NewMessage(theirs(3), "own", 2)])
        first = await stores.progress.queued(waiting, after=None, limit=2)
        rest = await stores.progress.queued(waiting, after=first[-1].id, limit=2)
        assert [(one.recipient, one.text, one.segments) for one in (*first, *rest)] == [
            (theirs(1), "hello", 1),
            (theirs(2), "hello", 1),
            (theirs(3), "own", 2),
        ]
        assert {(one.batch_key, one.batch_id, one.sender, one.created_at) for one in first} == {
            (waiting.key, BatchId("b-1"), OURS, NOW)
        }

    async def test_what_was_processed_is_not_queued_any_more(self, stores: SmsStores) -> None:
        waiting, (first, second) = await queued(stores, 1, 2)
        await stores.progress.record([sent(first, "c-1")], LATER, announce=NONE)
        assert await stores.progress.queued(waiting, after=None, limit=10) == [second]
        assert await stores.progress.queued_again([first.id, second.id]) == [second]
        assert await stores.progress.waiting() == [replace(waiting, queued=1)]

    async def test_who_opted_out_is_said_at_each_reading(self, stores: SmsStores) -> None:
        waiting, (first, _) = await queued(stores, 1, 2)
        assert not first.opted_out
        await stores.consents.change([a_change(ConsentStatus.OPT_OUT)])
        again = await stores.progress.queued(waiting, after=None, limit=10)
        assert [one.opted_out for one in again] == [True, False]
        await stores.consents.change([a_change(ConsentStatus.OPT_IN)])
        assert not any(one.opted_out for one in await stores.progress.queued_again([first.id]))

    async def test_what_is_handed_over_is_announced_and_in_doubt_until_its_record(self, stores: SmsStores) -> None:
        _, messages = await queued(stores, 1, 2, 3)
        first, second, third = messages
        await stores.progress.hand_over(messages, in_doubt=True)
        assert await stores.told_statuses() == ["Queued"] * 3
        await stores.progress.record([sent(first, "c-1")], LATER, announce=NONE)
        await stores.progress.take_back([second.id])
        assert await stores.progress.handed_over(limit=10) == [third]

    async def test_what_is_handed_over_again_is_not_announced_again(self, stores: SmsStores) -> None:
        _, messages = await queued(stores, 1)
        await stores.progress.hand_over(messages, in_doubt=True)
        await stores.progress.take_back([messages[0].id])
        await stores.progress.hand_over(await stores.progress.queued_again([messages[0].id]), in_doubt=True)
        assert await stores.told_statuses() == ["Queued"]
        assert await stores.progress.handed_over(limit=10) == messages

    async def test_a_carrier_that_can_be_asked_leaves_no_doubt(self, stores: SmsStores) -> None:
        _, messages = await queued(stores, 1)
        await stores.progress.hand_over(messages, in_doubt=False)
        assert await stores.progress.handed_over(limit=10) == []

    # Record

    async def test_what_became_of_messages_is_counted_told_and_paid(self, stores: SmsStores) -> None:
        waiting, (first, second, _) = await queued(stores, 1, 2, 3)
        assert waiting.key is not None
        await stores.progress.record([sent(first, "c-1"), refused(second)], LATER, announce=frozenset({waiting.key}))

        batch = await stores.batch(a_batch())
        assert (batch.processed, batch.cost_micros, batch.status) == (2, 7000, BatchStatus.PROCESSING)
        assert batch.modified_at == LATER
        good, bad, still = await stores.listed()
        assert (good.status, good.cost_micros, good.modified_at) == (MessageStatus.SENT, 7000, LATER)
        assert (bad.status, bad.error_code, bad.cost_micros) == (MessageStatus.SENDING_FAILED, "SMS-UP-410", None)
        assert still.status is MessageStatus.QUEUED
        assert await stores.told_statuses() == ["Sent", "SendingFailed", "Processing 2"]

    async def test_progress_is_told_when_it_is_due_and_completion_always(self, stores: SmsStores) -> None:
        waiting, (first, second) = await queued(stores, 1, 2)
        await stores.progress.record([sent(first, "c-1")], LATER, announce=NONE)
        assert await stores.told_statuses() == ["Sent"]
        await stores.progress.record([sent(second, "c-2")], LATER, announce=NONE)
        assert await stores.told_statuses() == ["Sent", "Sent", "Completed 2"]
        assert (await stores.told())[-1]["cost"] == 0.014
        assert await stores.progress.waiting() == []
        assert waiting.key is not None

    async def test_recording_a_message_again_changes_nothing(self, stores: SmsStores) -> None:
        _, (message, _) = await queued(stores, 1, 2)
        await stores.progress.record([sent(message, "c-1")], LATER, announce=NONE)
        await stores.progress.record([refused(message)], LATER, announce=NONE)
        assert (await stores.batch(a_batch())).processed == 1
        assert await stores.told_statuses() == ["Sent"]

    @pytest.mark.parametrize(
        ("code", "source"), [("SMS-UP-413", ConsentSource.UPSTREAM), ("SMS-CAR-413", ConsentSource.CARRIER)]
    )
    async def test_an_opt_out_that_a_carrier_tells_of_is_remembered(
        self, stores: SmsStores, code: str, source: ConsentSource
    ) -> None:
        _, (message,) = await queued(stores, 1)
        await stores.progress.record([refused(message, code)], LATER, announce=NONE)
        (consent,) = await stores.consent_reading.consents(ACCOUNT, ConsentQuery(), Slice(10))
        assert (consent.status, consent.source) == (ConsentStatus.OPT_OUT, source)
        assert "active True" in await stores.told_statuses()

    # Receipts

    async def test_a_receipt_finds_its_message(self, stores: SmsStores) -> None:
        _, (first, second) = await queued(stores, 1, 2)
        await stores.progress.record([sent(first, "c-1"), sent(second, "c-2")], NOW, announce=NONE)
        await stores.forget_told()
        await stores.progress.receipts([not_delivered("c-2"), delivered("c-1")], LATER)
        good, bad = await stores.listed()
        assert (good.status, good.error_code, good.modified_at) == (MessageStatus.DELIVERED, None, LATER)
        assert (bad.status, bad.error_code, bad.cost_micros) == (MessageStatus.DELIVERY_FAILED, "SMS-CAR-412", 7000)
        assert [body["id"] for body in await stores.told()] == [second.id, first.id]

    async def test_a_receipt_that_comes_before_the_record_is_applied_after_it(self, stores: SmsStores) -> None:
        _, (message,) = await queued(stores, 1)
        await stores.progress.receipts([delivered("c-1")], NOW)
        assert await stores.outbox.size() == 0
        await stores.progress.record([sent(message, "c-1")], LATER, announce=NONE)
        assert await stores.told_statuses() == ["Sent", "Completed 1", "Delivered"]

    async def test_the_first_final_receipt_counts(self, stores: SmsStores) -> None:
        _, (message,) = await queued(stores, 1)
        await stores.progress.record([sent(message, "c-1")], NOW, announce=NONE)
        await stores.progress.receipts([DeliveryReceipt("c-1", MessageStatus.SENT), delivered("c-1")], LATER)
        await stores.progress.receipts([not_delivered("c-1"), delivered("c-1")], LATER)
        assert await stores.told_statuses() == ["Sent", "Completed 1", "Delivered"]

    async def test_a_message_of_parts_is_delivered_with_the_last(self, stores: SmsStores) -> None:
        _, (message,) = await queued(stores, 1)
        await stores.progress.record([sent(message, "c-1", "c-2", "c-3")], NOW, announce=NONE)
        await stores.progress.receipts([delivered("c-2"), delivered("c-2")], LATER)
        await stores.progress.receipts([delivered("c-1")], LATER)
        assert (await stores.listed())[0].status is MessageStatus.SENT
        await stores.progress.receipts([delivered("c-3")], LATER)
        assert await stores.told_statuses() == ["Sent", "Completed 1", "Delivered"]

    async def test_a_message_of_parts_has_failed_with_the_first_that_did(self, stores: SmsStores) -> None:
        _, (message,) = await queued(stores, 1)
        await stores.progress.record([sent(message, "c-1", "c-2")], NOW, announce=NONE)
        await stores.progress.receipts([not_delivered("c-2"), delivered("c-1")], LATER)
        assert await stores.told_statuses() == ["Sent", "Completed 1", "DeliveryFailed"]

    async def test_an_id_that_a_carrier_uses_again_means_its_newest_message(self, stores: SmsStores) -> None:
        _, (first, second) = await queued(stores, 1, 2)
        await stores.progress.record([sent(first, "c-1")], NOW, announce=NONE)
        await stores.progress.record([sent(second, "c-1")], NOW, announce=NONE)
        await stores.progress.receipts([delivered("c-1")], LATER)
        assert [one.status for one in await stores.listed()] == [MessageStatus.SENT, MessageStatus.DELIVERED]

    async def test_messages_on_their_way_are_those_that_were_not_reported_on(self, stores: SmsStores) -> None:
        _, (first, second, third) = await queued(stores, 1, 2, 3)
        await stores.progress.record(
            [sent(first, "c-1", "c-2"), sent(second, "c-3"), sent(third, "c-4")], NOW, announce=NONE
        )
        await stores.progress.receipts([delivered("c-3")], NOW)
        assert await stores.progress.on_their_way(after=None, limit=10) == [first.outgoing, third.outgoing]
        assert await stores.progress.on_their_way(after=first.id, limit=10) == [third.outgoing]

    async def test_silence_ends_as_no_report(self, stores: SmsStores) -> None:
        _, (first, second) = await queued(stores, 1, 2)
        await stores.progress.record([sent(first, "c-1")], NOW, announce=NONE)
        await stores.progress.record([sent(second, "c-2")], LATER, announce=NONE)
        await stores.forget_told()
        assert await stores.progress.expire(before=LATER, at=LATER, limit=10) == 1
        (told,) = await stores.told()
        assert (told["id"], told["messageStatus"], told["errorCode"]) == (first.id, "DeliveryFailed", "SMS-CAR-104")
        assert await stores.progress.expire(before=LATER, at=LATER, limit=10) == 0

    async def test_a_receipt_that_nothing_came_of_is_forgotten(self, stores: SmsStores) -> None:
        _, (message,) = await queued(stores, 1)
        await stores.progress.receipts([delivered("c-1")], NOW)
        assert await stores.progress.forget_reports(before=LATER, limit=10) == 1
        await stores.progress.record([sent(message, "c-1")], LATER, announce=NONE)
        assert (await stores.listed())[0].status is MessageStatus.SENT

    async def test_reports_are_forgotten_in_steps_and_later_ones_kept(self, stores: SmsStores) -> None:
        await stores.progress.receipts([delivered(f"c-{number}") for number in range(5)], NOW)
        await stores.progress.receive([received(a_text(key=f"k-{number}")) for number in range(3)], NOW)
        await stores.progress.receive([received(a_text(key="later"))], LATER)
        steps = [await stores.progress.forget_reports(before=LATER, limit=2) for _ in range(4)]
        assert steps == [4, 3, 1, 0]
        again = [received(a_text(key=key)) for key in ("k-0", "later")]
        assert len((await stores.progress.receive(again, LATER)).messages) == 1

    # Receiving

    async def test_a_text_becomes_a_message_and_an_event(self, stores: SmsStores) -> None:
        stored = await stores.progress.receive([received(a_text())], LATER)
        (message,) = await stores.listed()
        assert stored.messages == [message.id]
        assert (message.sender, message.recipient, message.text) == (theirs(1), OURS, "hi")
        assert (message.direction, message.status) == (MessageDirection.INBOUND, MessageStatus.DELIVERED)
        assert (message.created_at, message.modified_at, message.cost_micros) == (NOW, LATER, 7000)
        (told,) = await stores.told()
        assert "batchId" not in told

    async def test_a_text_that_a_carrier_hands_over_again_is_stored_once(self, stores: SmsStores) -> None:
        for _ in range(2):
            await stores.progress.receive([received(a_text(key="k-1")), received(a_text(key="k-1"))], NOW)
        await stores.progress.receive([received(a_text()), received(a_text())], NOW)
        assert len(await stores.listed()) == 3
        assert await stores.outbox.size() == 3

    async def test_a_keyword_changes_the_consent_and_tells_it_each_time(self, stores: SmsStores) -> None:
        for _ in range(2):
            stop = received(a_text("STOP"), consent=ConsentStatus.OPT_OUT, keyword="STOP")
            await stores.progress.receive([stop], LATER)
        (consent,) = await stores.consent_reading.consents(ACCOUNT, ConsentQuery(), Slice(10))
        assert (consent.sender, consent.recipient) == (OURS, theirs(1))
        assert (consent.status, consent.source) == (ConsentStatus.OPT_OUT, ConsentSource.RECIPIENT)
        history = await stores.consent_reading.history(ACCOUNT, (), Slice(10))
        assert [(change.method, change.actor) for _, change in history] == [("keyword STOP", None)] * 2
        assert await stores.told_statuses() == ["Delivered", "active True"] * 2
        uuids = [outgoing.event.uuid for outgoing in await stores.outbox.first(10)]
        assert len(set(uuids)) == 4

    async def test_a_reply_waits_to_be_sent_even_to_who_opted_out(self, stores: SmsStores) -> None:
        stop = received(
            a_text("STOP"), consent=ConsentStatus.OPT_OUT, keyword="STOP", reply="You won't hear more", reply_segments=1
        )
        stored = await stores.progress.receive([stop], LATER)
        replies = Waiting(None, ACCOUNT, OURS, 1)
        assert stored.replies == [replies] == await stores.progress.waiting()
        (reply,) = await stores.progress.queued(replies, after=None, limit=10)
        assert (reply.recipient, reply.text, reply.opted_out) == (theirs(1), "You won't hear more", False)
        await stores.progress.record([sent(reply, "c-1")], LATER, announce=NONE)
        await stores.progress.receipts([delivered("c-1")], LATER)
        assert await stores.progress.waiting() == []
        assert [one.status for one in await stores.listed()] == [MessageStatus.DELIVERED] * 2

    # Consents

    async def test_a_change_is_told_when_it_changes_something(self, stores: SmsStores) -> None:
        for status in (ConsentStatus.OPT_IN, ConsentStatus.OPT_OUT, ConsentStatus.OPT_OUT, ConsentStatus.OPT_IN):
            await stores.consents.change([a_change(status)])
        assert await stores.told_statuses() == ["active True", "active False"]
        history = await stores.consent_reading.history(ACCOUNT, (), Slice(10))
        assert len(history) == 4

    async def test_of_two_changes_of_one_pair_the_later_holds(self, stores: SmsStores) -> None:
        await stores.consents.change([a_change(ConsentStatus.OPT_OUT), a_change(ConsentStatus.OPT_IN)])
        (consent,) = await stores.consent_reading.consents(ACCOUNT, ConsentQuery(), Slice(10))
        assert consent.status is ConsentStatus.OPT_IN

    async def test_a_group_of_changes_is_told_and_remembered_one_by_one(self, stores: SmsStores) -> None:
        out, in_ = ConsentStatus.OPT_OUT, ConsentStatus.OPT_IN
        await stores.consents.change([a_change(out, 1), a_change(in_, 2)])
        await stores.forget_told()
        recipient = ConsentSource.RECIPIENT
        group = [a_change(out, 1), a_change(out, 2), a_change(in_, 2), a_change(in_, 3), a_change(out, 4, recipient)]
        await stores.consents.change(group)
        told = [(body["to"], body["active"]) for body in await stores.told()]
        assert told == [(theirs(2), True), (theirs(2), False), (theirs(4), True)]
        found = await stores.consent_reading.consents(ACCOUNT, ConsentQuery(), Slice(10))
        assert [(one.recipient, one.status, one.source) for one in found] == [
            (theirs(1), out, ConsentSource.API),
            (theirs(2), in_, ConsentSource.API),
            (theirs(3), in_, ConsentSource.API),
            (theirs(4), out, recipient),
        ]
        history = await stores.consent_reading.history(ACCOUNT, (), Slice(10))
        assert [change for _, change in history][2:] == group
        assert [serial for serial, _ in history] == sorted(serial for serial, _ in history)

    # Outbox

    async def test_the_outbox_keeps_the_order_and_tells_of_what_is_put_in(self, stores: SmsStores) -> None:
        put: list[int] = []
        stores.outbox.on_put(put.append)
        await accepted(stores, some(1), "b-1")
        await accepted(stores, some(2), "b-2")
        await stores.consents.change([a_change(ConsentStatus.OPT_IN)])
        assert put == [1, 1]
        first, second = await stores.outbox.first(10)
        assert [one.event.topic.rpartition("/")[2] for one in (first, second)] == ["b-1", "b-2"]
        assert await stores.outbox.first(1) == [first]
        assert first.event.chosen
        assert await stores.outbox.remove(first.place) == 1
        assert await stores.outbox.first(10) == [second]
        assert await stores.outbox.size() == 1

    async def test_ids_of_messages_name_their_events_for_ever(self, stores: SmsStores) -> None:
        _, (message,) = await queued(stores, 1)
        for _ in range(2):
            await stores.progress.hand_over([message], in_doubt=False)
        first, again = await stores.outbox.first(10)
        assert first.event.uuid == again.event.uuid
        assert MessageId(msgspec.json.decode(first.event.body)["id"]) == message.id
