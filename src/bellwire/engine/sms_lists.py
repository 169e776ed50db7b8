"""What clients ask about batches and messages: lists by page tokens, single records, counts.

Without dates a list is of the last 24 hours, but for the messages of one batch, of which all are meant (wire contract,
6.2). The window is fixed with the first page; the tokens keep it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bellwire.engine.page_tokens import Page, PageTokens, Place, page_of, require_same
from bellwire.errors import InvalidRequest, NotFound
from bellwire.model.ids import AccountId
from bellwire.model.sms import BatchId, MessageId, MessageStatus
from bellwire.model.sms_records import Batch, Message
from bellwire.ports.clock import Clock
from bellwire.ports.sms_store import BatchQuery, Cursor, MessageQuery, Placed, SmsReading, StatusCount

DEFAULT_WINDOW = timedelta(hours=24)
MAX_PER_PAGE = 1000
MAX_NUMBERS = 15
_EARLIEST = datetime.min.replace(tzinfo=UTC)

WindowedQuery = TypeVar("WindowedQuery", BatchQuery, MessageQuery)


@dataclass(frozen=True, slots=True)
class MessageQuestion:
    """Which messages, and whether with their text; None: as the token has it, or else without."""

    query: MessageQuery
    with_text: bool | None


class SmsLists:
    """Reads for one account at a time; whose it is has been decided before."""

    def __init__(self, *, reading: SmsReading, clock: Clock, key: bytes) -> None:
        """
        Args:
            key: the installation's secret, which signs page tokens.
        """
        self._reading = reading
        self._clock = clock
        self._batch_tokens = PageTokens("batches", BatchQuery, Cursor, key=key)
        self._message_tokens = PageTokens("messages", MessageQuestion, Cursor, key=key)

    async def batches(
        self, account: AccountId, asked: BatchQuery, *, token: str | None, per_page: int | None
    ) -> Page[Placed[Batch]]:
        """
        Raises:
            InvalidRequest: CMN-101, of the dates or the token.
        """
        if token is None:
            query, place, size = self._windowed(asked), Place[Cursor](), per_page or MAX_PER_PAGE
        else:
            query, place, size = self._batch_tokens.read(token)
            require_same(asked, query)
        return await page_of(
            self._batch_tokens,
            query,
            place,
            per_page or size,
            read=lambda part: self._reading.batches(account, query, part),
            cursor_of=lambda placed: placed.cursor,
        )

    async def batch(self, account: AccountId, batch: BatchId) -> Batch:
        """Raises `NotFound`: CMN-102."""
        found = await self._reading.batch(account, batch)
        if found is None:
            raise _not_found("batchId")
        return found

    async def messages(
        self, account: AccountId, asked: MessageQuestion, *, token: str | None, per_page: int | None
    ) -> Page[Placed[Message]]:
        """
        Raises:
            InvalidRequest: CMN-101, of the dates, the numbers or the token.
        """
        if token is None:
            query = self._message_query(asked.query)
            question = MessageQuestion(query, asked.with_text or False)
            place, size = Place[Cursor](), per_page or MAX_PER_PAGE
        else:
            question, place, size = self._message_tokens.read(token)
            require_same(asked.query, question.query)
            if asked.with_text is not None:
                question = replace(question, with_text=asked.with_text)
        with_text = bool(question.with_text)
        return await page_of(
            self._message_tokens,
            question,
            place,
            per_page or size,
            read=lambda part: self._reading.messages(account, question.query, part, with_text=with_text),
            cursor_of=lambda placed: placed.cursor,
        )

    async def message(self, account: AccountId, message: MessageId) -> Message:
        """With its text. Raises `NotFound`: CMN-102."""
        found = await self._reading.message(account, message)
        if found is None:
            raise _not_found("messageId")
        return found

    async def statuses(self, account: AccountId, asked: MessageQuery) -> dict[MessageStatus, StatusCount]:
        """Every status, those of no message too.

        Raises:
            InvalidRequest: CMN-101, of the dates or the numbers.
        """
        counted: Mapping[MessageStatus, StatusCount] = await self._reading.statuses(account, self._message_query(asked))
        return {status: counted.get(status, StatusCount()) for status in MessageStatus}

    def _message_query(self, asked: MessageQuery) -> MessageQuery:
        if len(asked.numbers) > MAX_NUMBERS:
            raise InvalidRequest(
                "CMN-101",
                f"Parameter [phoneNumber] value is invalid: at most {MAX_NUMBERS} numbers are looked for at once",
                parameter="phoneNumber",
            )
        if asked.batch is not None and asked.since is None and asked.until is None:
            return asked
        return self._windowed(asked)

    def _windowed(self, asked: WindowedQuery) -> WindowedQuery:
        until = asked.until or self._clock.now()
        since = asked.since or max(until, _EARLIEST + DEFAULT_WINDOW) - DEFAULT_WINDOW
        if asked.until is not None and asked.since is not None and since > until:
            raise InvalidRequest(
                "CMN-101", "Parameter [dateFrom] value is invalid: it is after dateTo", parameter="dateFrom"
            )
        return replace(asked, since=since, until=until)


def _not_found(parameter: str) -> NotFound:
    return NotFound("CMN-102", f"Resource for parameter [{parameter}] is not found", parameter=parameter)
