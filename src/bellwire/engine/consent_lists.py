"""What clients ask about consents: lists by page tokens, the history of changes, and all of them for an export."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from bellwire.engine.page_tokens import Page, PageTokens, Place, page_of, require_same
from bellwire.model.ids import AccountId
from bellwire.model.sms_records import Consent, ConsentChange
from bellwire.ports.consents import ConsentQuery, ConsentReading, PairCursor
from bellwire.ports.slices import Slice

MAX_PER_PAGE = 1000
EXPORT_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class HistoryQuestion:
    """Whose history; empty is everybody's."""

    recipients: tuple[str, ...] = ()


class ConsentLists:
    """Reads for one account at a time; whose it is has been decided before."""

    def __init__(self, *, reading: ConsentReading, key: bytes) -> None:
        """
        Args:
            key: the installation's secret, which signs page tokens.
        """
        self._reading = reading
        self._tokens = PageTokens("consents", ConsentQuery, PairCursor, key=key)
        self._history_tokens = PageTokens("consent history", HistoryQuestion, int, key=key)

    async def consents(
        self, account: AccountId, asked: ConsentQuery, *, token: str | None, per_page: int | None, default_per_page: int
    ) -> Page[Consent]:
        """
        Raises:
            InvalidRequest: CMN-101, of the token.
        """
        query, place, size = asked, Place[PairCursor](), default_per_page
        if token is not None:
            query, place, size = self._tokens.read(token)
            require_same(asked, query)
        return await page_of(
            self._tokens,
            query,
            place,
            per_page or size,
            read=lambda part: self._reading.consents(account, query, part),
            cursor_of=_pair_of,
        )

    async def history(
        self,
        account: AccountId,
        asked: HistoryQuestion,
        *,
        token: str | None,
        per_page: int | None,
        default_per_page: int,
    ) -> Page[tuple[int, ConsentChange]]:
        """Changes with their serial numbers, in the order in which they were made; raises as `consents`."""
        question, place, size = asked, Place[int](), default_per_page
        if token is not None:
            question, place, size = self._history_tokens.read(token)
            require_same(asked, question)
        return await page_of(
            self._history_tokens,
            question,
            place,
            per_page or size,
            read=lambda part: self._reading.history(account, question.recipients, part),
            cursor_of=lambda numbered: numbered[0],
        )

    async def all_consents(self, account: AccountId, query: ConsentQuery) -> AsyncIterator[list[Consent]]:
        """All that the query finds, in chunks, so that memory stays bounded."""
        part: Slice[PairCursor] = Slice(EXPORT_CHUNK)
        while chunk := await self._reading.consents(account, query, part):
            yield chunk
            part = Slice(EXPORT_CHUNK, _pair_of(chunk[-1]))

    async def version(self, account: AccountId) -> int:
        """A number that is another one after each change of the account's consents."""
        last = await self._reading.history(account, (), Slice(1, backward=True))
        return last[0][0] if last else 0


def _pair_of(consent: Consent) -> PairCursor:
    return PairCursor(consent.sender, consent.recipient)
