"""What carriers tell us: reports on messages, and texts to our numbers with what their keywords change.

Each call returns when what it brought is durable; it waits while events of earlier ones can't be published, so that a
carrier that brings more than the log takes is slowed down, not lost from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from bellwire.engine.accept_batch import A2P_FEATURE
from bellwire.errors import Conflict
from bellwire.model.directory import PhoneNumber, Status
from bellwire.model.ids import AccountId
from bellwire.model.sms import ConsentStatus, DeliveryReceipt, InboundText, MessageId
from bellwire.ports.clock import Clock
from bellwire.ports.identity import Directory
from bellwire.ports.sms_progress import Received, SmsProgress, Stored, Waiting
from bellwire.sms import segments
from bellwire.sms.keywords import consent_change

_log = structlog.get_logger("bellwire.sms")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticReplies:
    """What a keyword is answered with; None: nothing."""

    opt_out: str | None = None
    opt_in: str | None = None

    def to(self, consent: ConsentStatus | None) -> str | None:
        match consent:
            case ConsentStatus.OPT_OUT:
                return self.opt_out
            case ConsentStatus.OPT_IN:
                return self.opt_in
            case None:
                return None


class Receiving:
    """`CarrierReports`. `counts`: since the start, by what came."""

    def __init__(
        self,
        *,
        progress: SmsProgress,
        directory: Directory,
        clock: Clock,
        segment_price_micros: int,
        replies: AutomaticReplies,
        room: Callable[[], Awaitable[None]],
        on_reply: Callable[[Waiting], None],
    ) -> None:
        """`on_reply`: told of automatic replies that now wait to be sent."""
        self._progress = progress
        self._directory = directory
        self._clock = clock
        self._price = segment_price_micros
        self._replies = replies
        self._room = room
        self._on_reply = on_reply
        self.counts = {"receipts": 0, "texts": 0, "misaddressed": 0}

    async def receipts(self, receipts: Sequence[DeliveryReceipt]) -> None:
        await self._room()
        await self._progress.receipts(receipts, self._clock.now())
        self.counts["receipts"] += len(receipts)

    async def inbound(self, texts: Sequence[InboundText]) -> None:
        await self.take(texts)

    async def take(self, texts: Sequence[InboundText]) -> list[MessageId]:
        """The same; returns the ids of those that were stored: not of ones that had come before, nor of texts to
        numbers that nobody has."""
        await self._room()
        try:
            stored = await self._store(texts)
        except Conflict:  # an account was removed between the look into the directory, which knows it now, and this
            stored = await self._store(texts)
        for waiting in stored.replies:
            self._on_reply(waiting)
        return stored.messages

    async def _store(self, texts: Sequence[InboundText]) -> Stored:
        received = [
            self._judge(text, number.account_id)
            for text in texts
            if (number := self.addressee(text.recipient)) is not None
        ]
        stored = await self._progress.receive(received, self._clock.now()) if received else Stored([], [])
        self.counts["texts"] += len(stored.messages)
        if misaddressed := len(texts) - len(received):
            self.counts["misaddressed"] += misaddressed
            _log.warning(
                "text.misaddressed", texts=misaddressed, reason="no number of an account that takes High Volume SMS"
            )
        return stored

    def addressee(self, number: str) -> PhoneNumber | None:
        """The number of ours that takes texts; None where there is none."""
        found = self._directory.number(number)
        takes_texts = found is not None and found.status is Status.ENABLED and A2P_FEATURE in found.features
        return found if takes_texts else None

    def _judge(self, text: InboundText, account: AccountId) -> Received:
        consent = consent_change(text.text)
        reply = self._replies.to(consent)
        count = segments.count(text.text)
        return Received(
            account_id=account,
            text=text,
            segments=count,
            cost_micros=count * self._price,
            consent=consent,
            keyword="" if consent is None else text.text.strip().upper()[:20],
            reply=reply,
            reply_segments=0 if reply is None else segments.count(reply),
        )
