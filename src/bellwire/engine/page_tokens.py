"""Lists with page tokens (wire contract, 2.7): each page says how to get to the first, the previous and the next one.

A token is the whole question with the place where a page begins, so that it can be sent alone, and means the same list
whatever has been added since. It is signed: what is read back was written here. A request may repeat the question
beside its token; another question beside it is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import msgspec

from bellwire.errors import InvalidRequest
from bellwire.ports.slices import Slice

MAX_TOKEN_LENGTH = 4096
TOKEN_PATTERN = r"^[A-Za-z0-9_-]+$"  # noqa: S105 - no secret
_SIGNATURE_BYTES = 12

Q = TypeVar("Q")
C = TypeVar("C")
R = TypeVar("R")


@dataclass(frozen=True)
class Page(Generic[R]):
    """Some records of a list, and the tokens of the pages around it; None where there is no such page."""

    records: list[R]
    per_page: int
    token: str
    first_token: str
    previous_token: str | None
    next_token: str | None

    def paging(self) -> dict[str, Any]:
        """As it stands on the wire: absent rather than null."""
        paging: dict[str, Any] = {
            "perPage": self.per_page,
            "pageToken": self.token,
            "firstPageToken": self.first_token,
        }
        if self.previous_token is not None:
            paging["previousPageToken"] = self.previous_token
        if self.next_token is not None:
            paging["nextPageToken"] = self.next_token
        return paging


@dataclass(frozen=True)
class Place(Generic[C]):
    """Where a page begins: after a cursor, or backward before it; None is the beginning, or backward the end."""

    start: C | None = None
    backward: bool = False


class PageTokens(Generic[Q, C]):
    """The tokens of one kind of list, whose questions are a `Q` and whose places a `C` (both plain dataclasses)."""

    def __init__(self, kind: str, question: type[Q], cursor: type[C], *, key: bytes) -> None:
        """
        Args:
            kind: of the list, so that a token of another is refused.
            key: the installation's secret.
        """
        self._key = hashlib.sha256(b"page token\0" + kind.encode() + b"\0" + key).digest()
        self._encode = msgspec.json.Encoder(order="deterministic").encode
        self._decode = msgspec.json.Decoder(tuple[question, bool, cursor | None, int]).decode  # type: ignore[valid-type]

    def token(self, question: Q, place: Place[C], per_page: int) -> str:
        content = self._encode((question, place.backward, place.start, per_page))
        return base64.urlsafe_b64encode(self._signature(content) + content).rstrip(b"=").decode()

    def read(self, token: str) -> tuple[Q, Place[C], int]:
        """
        Returns:
            question, place and the page's size.

        Raises:
            InvalidRequest: CMN-101; it is no token of this list.
        """
        if not token or len(token) > MAX_TOKEN_LENGTH:
            raise bad_token("it is not one of this list")
        try:
            signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise bad_token("it is not one of this list") from None
        content = signed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signed[:_SIGNATURE_BYTES], self._signature(content)):
            raise bad_token("it is not one of this list")
        try:
            question, backward, start, per_page = self._decode(content)
        except msgspec.DecodeError:  # signed by an earlier release
            raise bad_token("it is of another release; begin with the first page") from None
        return question, Place(start, backward), per_page

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")[:_SIGNATURE_BYTES]


async def page_of(
    tokens: PageTokens[Q, C],
    question: Q,
    place: Place[C],
    per_page: int,
    *,
    read: Callable[[Slice[C]], Awaitable[list[R]]],
    cursor_of: Callable[[R], C],
) -> Page[R]:
    """Read one page, and one record more to know whether there is another.

    Args:
        read: gives a slice of the list that the question is about.
    """
    records = await read(Slice(per_page + 1, place.start, place.backward))
    is_more = len(records) > per_page
    if is_more:
        records = records[1:] if place.backward else records[:-1]
    is_before = is_more if place.backward else place.start is not None
    is_after = place.start is not None if place.backward else is_more
    previous = Place(cursor_of(records[0]) if records else place.start, backward=True)
    following = Place(cursor_of(records[-1]) if records else place.start)
    return Page(
        records=records,
        per_page=per_page,
        token=tokens.token(question, place, per_page),
        first_token=tokens.token(question, Place(), per_page),
        previous_token=tokens.token(question, previous, per_page) if is_before else None,
        next_token=tokens.token(question, following, per_page) if is_after else None,
    )


def require_same(asked: Any, kept: Any) -> None:
    """Refuse a question (a dataclass) that says something else than the one that its token keeps; None says nothing.

    Raises:
        InvalidRequest: CMN-101.
    """
    for field in fields(asked):
        said = getattr(asked, field.name)
        if said not in (None, ()) and said != getattr(kept, field.name):
            raise bad_token("it belongs to a list that was asked for with other parameters")


def bad_token(reason: str) -> InvalidRequest:
    return InvalidRequest("CMN-101", f"Parameter [pageToken] value is invalid: {reason}", parameter="pageToken")
