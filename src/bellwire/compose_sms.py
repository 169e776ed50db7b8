"""High Volume SMS, composed: settings and stores in, a service out that runs beside the delivery engine.

Started in this order, and stopped in reverse: outbox pump ─▶ carrier ─▶ sending. The pump runs first, since all others
wait for room in the outbox; the carrier is stopped after what it was given is recorded.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from fastapi import APIRouter

from bellwire.api.a2p import PREFIXES as READING_PREFIXES
from bellwire.api.a2p import a2p_reading_routes
from bellwire.api.a2p_batches import a2p_batch_routes
from bellwire.api.authentication import Authenticator
from bellwire.api.routing import LaterRoutes
from bellwire.api.sms_inbound import sms_inbound_routes
from bellwire.carriers.simulator import SimulatedCarrier
from bellwire.engine.accept_batch import BatchAcceptance
from bellwire.engine.assign_consents import ConsentAssignment
from bellwire.engine.consent_lists import ConsentLists
from bellwire.engine.forget_sms import FORGET_SECONDS, SmsForgetting
from bellwire.engine.housekeeping import Chore
from bellwire.engine.outbox import OutboxPump
from bellwire.engine.publish import Publisher
from bellwire.engine.receive_sms import AutomaticReplies, Receiving
from bellwire.engine.send_batches import Sending
from bellwire.engine.sms_lists import SmsLists
from bellwire.model.sms import MessageId, OutgoingText
from bellwire.observe.metrics import Metrics
from bellwire.observe.system_clock import SystemClock
from bellwire.ports.carrier import Carrier
from bellwire.settings import Mode, Settings, SmsCarrier
from bellwire.sms.throughput import SenderLimits, Throughput
from bellwire.storage.records import RecordsStores
from bellwire.storage.records.consents import SqlConsentWriter
from bellwire.storage.records.consents_reading import SqlConsentReading
from bellwire.storage.records.outbox import SqlOutbox
from bellwire.storage.records.sms_intake import SqlBatchIntake
from bellwire.storage.records.sms_progress import SqlSmsProgress
from bellwire.storage.records.sms_reading import SqlSmsReading
from bellwire.storage.records.sms_retention import SqlSmsRetention

EXPIRE_SECONDS = 600.0
_EXPIRED_TOGETHER = 500

_log = structlog.get_logger("bellwire.sms")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsService:
    """The parts that run, and what the API needs of them."""

    intake: SqlBatchIntake
    progress: SqlSmsProgress
    consents: SqlConsentWriter
    pump: OutboxPump
    acceptance: BatchAcceptance
    sending: Sending
    receiving: Receiving
    carrier: Carrier
    carrier_name: str
    chores: Sequence[Chore]
    routers: Sequence[APIRouter | LaterRoutes]

    async def start(self) -> None:
        """Clear up after a crash, and go on with what waits."""
        left = await self.intake.discard_leftovers()
        if left:
            _log.warning("batches.discarded", batches=left, reason="the server ended while they came in")
        await self.pump.start()
        await self.carrier.start(self.receiving)
        await self.sending.start()
        _log.info("sms.started", carrier=self.carrier_name, queued=self.sending.waiting, outbox=self.pump.pending)

    async def stop(self, *, drain_seconds: float) -> None:
        await self.sending.stop(drain_seconds=drain_seconds)
        await self.carrier.stop(drain_seconds=drain_seconds)
        await self.acceptance.stop()
        await self.pump.stop()


def compose_sms(
    *,
    settings: Settings,
    stores: RecordsStores,
    publisher: Publisher,
    authenticator: Authenticator,
    clock: SystemClock,
    metrics: Metrics,
    on_fatal: Callable[[BaseException], None],
) -> SmsService:
    """Wire the service; nothing of it runs before `start`."""
    outbox = SqlOutbox(stores.records)
    progress = SqlSmsProgress(stores.records, outbox)
    intake = SqlBatchIntake(stores.records, outbox)
    pump = OutboxPump(outbox=outbox, publisher=publisher, on_fatal=on_fatal)
    carrier = _carrier(settings, progress, clock, metrics, on_fatal)
    price = int(settings.sms_segment_price * 1_000_000)
    sending = Sending(
        progress=progress,
        carrier=carrier,
        throughput=Throughput(
            SenderLimits(
                local=settings.sms_local_per_second or None, toll_free=settings.sms_toll_free_per_second or None
            )
        ),
        clock=clock,
        segment_price_micros=price,
        room=pump.room,
        on_fatal=on_fatal,
    )
    receiving = Receiving(
        progress=progress,
        directory=stores.directory,
        clock=clock,
        segment_price_micros=price,
        replies=AutomaticReplies(opt_out=settings.sms_opt_out_reply, opt_in=settings.sms_opt_in_reply),
        room=pump.room,
        on_reply=sending.offer,
    )
    acceptance = BatchAcceptance(
        intake=intake,
        directory=stores.directory,
        clock=clock,
        new_uuid=lambda: str(uuid.uuid4()),
        on_accepted=sending.offer,
        max_messages=settings.sms_max_batch_messages,
    )
    clock.on_advance(sending.look_again)
    if isinstance(carrier, SimulatedCarrier):
        clock.on_advance(carrier.look_again)

    async def expire() -> None:
        now = clock.now()
        before = now - timedelta(hours=settings.sms_receipt_hours)
        while await progress.expire(before=before, at=now, limit=_EXPIRED_TOGETHER) == _EXPIRED_TOGETHER:
            await pump.room()
        while await progress.forget_reports(before=before, limit=_EXPIRED_TOGETHER):
            pass

    forgetting = SmsForgetting(
        retention=SqlSmsRetention(stores.records), clock=clock, keep=timedelta(hours=settings.sms_retention_hours)
    )
    consents = SqlConsentWriter(outbox)
    routers: list[APIRouter | LaterRoutes] = [
        a2p_batch_routes(acceptance=acceptance, authenticator=authenticator),
        LaterRoutes(READING_PREFIXES, lambda: _reading_routes(stores, consents, authenticator, clock, pump)),
    ]
    if settings.mode is Mode.DEV and settings.sms_carrier is SmsCarrier.SIMULATOR:
        routers.append(sms_inbound_routes(receiving=receiving, publisher=authenticator.publisher, clock=clock))
    service = SmsService(
        intake=intake,
        progress=progress,
        consents=consents,
        pump=pump,
        acceptance=acceptance,
        sending=sending,
        receiving=receiving,
        carrier=carrier,
        carrier_name=settings.sms_carrier.value,
        chores=(
            Chore("give up on receipts", EXPIRE_SECONDS, expire),
            Chore("forget old messages", FORGET_SECONDS, forgetting.run),
        ),
        routers=routers,
    )
    _watch(metrics, service)
    return service


def _reading_routes(
    stores: RecordsStores,
    consents: SqlConsentWriter,
    authenticator: Authenticator,
    clock: SystemClock,
    pump: OutboxPump,
) -> list[APIRouter]:
    key = stores.installation.signing_key
    return a2p_reading_routes(
        lists=SmsLists(reading=SqlSmsReading(stores.records), clock=clock, key=key),
        consent_lists=ConsentLists(reading=SqlConsentReading(stores.records), key=key),
        assignment=ConsentAssignment(writer=consents, directory=stores.directory, clock=clock, room=pump.room),
        authenticator=authenticator,
    )


def _carrier(
    settings: Settings,
    progress: SqlSmsProgress,
    clock: SystemClock,
    metrics: Metrics,
    on_fatal: Callable[[BaseException], None],
) -> Carrier:
    async def taken(after: MessageId | None, limit: int) -> Sequence[OutgoingText]:
        return await progress.on_their_way(after=after, limit=limit)

    match settings.sms_carrier:
        case SmsCarrier.SIMULATOR:
            return SimulatedCarrier(
                clock=clock,
                taken=taken,
                on_fatal=on_fatal,
                seed=settings.sms_simulator_seed,
                mean_delay_seconds=settings.sms_simulator_delay_ms / 1000,
            )
        case SmsCarrier.SMPP:
            # Of all servers, only those that have a carrier load SMPP.
            from bellwire.compose_smpp import open_smpp_carrier  # noqa: PLC0415

            return open_smpp_carrier(settings, clock=clock, metrics=metrics, on_fatal=on_fatal)


def _watch(metrics: Metrics, service: SmsService) -> None:
    sending, receiving, acceptance, pump = service.sending, service.receiving, service.acceptance, service.pump
    metrics.watch_counter(
        "bellwire_sms_entries",
        "Entries of batches, by whether they were accepted",
        lambda: {(outcome,): count for outcome, count in acceptance.counts.items()},
        labels=("outcome",),
    )
    metrics.watch_counter(
        "bellwire_sms_processed",
        "Messages that left the queue, by the status that they came to",
        lambda: {(status,): count for status, count in sending.counts.items()},
        labels=("status",),
    )
    metrics.watch_counter(
        "bellwire_sms_reported",
        "What carriers brought: receipts, texts to our numbers, and texts to numbers that nobody has (misaddressed)",
        lambda: {(what,): count for what, count in receiving.counts.items()},
        labels=("what",),
    )
    metrics.watch_gauge("bellwire_sms_queued", "Messages that wait to be sent", lambda: sending.waiting)
    metrics.watch_gauge("bellwire_outbox_events", "Events that wait to be put into the log", lambda: pump.pending)
