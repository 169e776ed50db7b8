"""What the SMS lab asks of the engine: send a batch, text back as a recipient would, and see what came of it.

There only with the simulated carrier of a development server: elsewhere recipients have telephones of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from bellwire.engine.accept_batch import A2P_FEATURE, Accepted, BatchAcceptance
from bellwire.engine.provision_scope import Scope
from bellwire.engine.receive_sms import Receiving
from bellwire.errors import InvalidRequest, NotFound
from bellwire.model.directory import PhoneNumber, Status
from bellwire.model.sms import ConsentStatus, InboundText
from bellwire.model.sms_records import Batch, Message
from bellwire.ports.clock import Clock
from bellwire.ports.consents import ConsentQuery, ConsentReading
from bellwire.ports.identity import Directory
from bellwire.ports.slices import Slice
from bellwire.ports.sms_store import BatchQuery, Cursor, MessageQuery, SmsReading
from bellwire.sms.batch_request import MAX_TEXT_LENGTH

MOST_BATCHES = 10
LONGEST_TALK = 30
_LOOKED_THROUGH = 200
"""A handset's latest messages, of which those with one number are shown."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What one handset and one number said to each other, oldest first. `consent`: None: never asked."""

    messages: tuple[Message, ...]
    consent: ConsentStatus | None


class SmsLab:
    def __init__(
        self,
        *,
        acceptance: BatchAcceptance,
        receiving: Receiving,
        reading: SmsReading,
        consents: ConsentReading,
        directory: Directory,
        clock: Clock,
    ) -> None:
        self._acceptance = acceptance
        self._receiving = receiving
        self._reading = reading
        self._consents = consents
        self._directory = directory
        self._clock = clock

    def senders(self, scope: Scope) -> list[PhoneNumber]:
        """Numbers within reach that may send High Volume SMS."""
        accounts = (one for one in self._directory.accounts() if scope.covers(one.id))
        numbers = (number for account in accounts for number in self._directory.numbers(account.id))
        return [one for one in numbers if A2P_FEATURE in one.features and one.status is Status.ENABLED]

    def sender(self, scope: Scope, number: str) -> PhoneNumber:
        """Raises NotFound for a number that is out of reach."""
        for one in self.senders(scope):
            if one.phone_number == number:
                return one
        raise NotFound("CMN-102", f"{number} is no number that may send High Volume SMS", parameter="from")

    async def send(self, scope: Scope, number: str, recipients: Sequence[str], text: str) -> Accepted:
        """One batch.

        Raises:
            NotFound: the number is out of reach.
            InvalidRequest: as the batch request of the API.
        """
        account = self.sender(scope, number).account_id
        entries = [{"to": [recipient]} for recipient in recipients]
        request = msgspec.json.encode({"from": number, "text": text, "messages": entries})

        async def chunks() -> AsyncIterator[bytes]:
            yield request

        return await self._acceptance.accept(account, chunks())

    async def batches(self, scope: Scope, number: str) -> list[Batch]:
        """The latest of one number, newest first."""
        account = self.sender(scope, number).account_id
        part: Slice[Cursor] = Slice(MOST_BATCHES, backward=True)
        found = await self._reading.batches(account, BatchQuery(sender=number), part)
        return [placed.record for placed in reversed(found)]

    async def talk(self, scope: Scope, number: str, handset: str) -> Talk:
        account = self.sender(scope, number).account_id
        part: Slice[Cursor] = Slice(_LOOKED_THROUGH, backward=True)
        found = await self._reading.messages(
            account,
            MessageQuery(numbers=(handset,)),
            part,
            with_text=True,
        )
        between = [one.record for one in found if number in {one.record.sender, one.record.recipient}]
        query = ConsentQuery(senders=(number,), recipients=(handset,))
        consents = await self._consents.consents(account, query, Slice(1))
        return Talk(tuple(between[-LONGEST_TALK:]), consents[0].status if consents else None)

    async def say(self, scope: Scope, handset: str, number: str, text: str) -> None:
        """A text from a handset to one of our numbers; durable, with what its keyword changes, when it returns."""
        self.sender(scope, number)
        if not 0 < len(text) <= MAX_TEXT_LENGTH:
            raise InvalidRequest("CMN-101", f"A text has 1 to {MAX_TEXT_LENGTH} characters", parameter="text")
        now = self._clock.now()
        await self._receiving.take([InboundText(sender=handset, recipient=number, text=text, received_at=now)])
