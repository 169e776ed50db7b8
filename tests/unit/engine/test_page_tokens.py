"""Page tokens, and pages read by them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.engine.page_tokens import Page, PageTokens, Place, page_of, require_same
from bellwire.errors import InvalidRequest
from bellwire.model.sms import BatchId, BatchStatus, MessageDirection
from bellwire.ports.slices import Slice
from bellwire.ports.sms_store import BatchQuery, Cursor, MessageQuery

KEY = b"secret of the installation"
AT = datetime(2026, 3, 2, 10, 10, 0, 123456, tzinfo=UTC)
EVERYTHING = MessageQuery(
    batch=BatchId("b"),
    directions=frozenset(MessageDirection),
    since=AT,
    until=AT + timedelta(days=1),
    numbers=("+12025550101", "+12025550102"),
)


@dataclass(frozen=True)
class Question:
    word: str | None = None
    words: tuple[str, ...] = ()


def numbers(key: bytes = KEY, kind: str = "numbers") -> PageTokens[Question, int]:
    return PageTokens(kind, Question, int, key=key)


async def page(of: list[int], place: Place[int], per_page: int) -> Page[int]:
    """A page of a list whose cursors are its ascending records."""

    async def read(part: Slice[int]) -> list[int]:
        if part.backward:
            return [n for n in of if part.start is None or n < part.start][-part.limit :]
        return [n for n in of if part.start is None or n > part.start][: part.limit]

    return await page_of(numbers(), Question(), place, per_page, read=read, cursor_of=lambda n: n)


@pytest.mark.parametrize("query", [EVERYTHING, MessageQuery()])
@pytest.mark.parametrize("place", [Place(), Place(Cursor(AT, 7)), Place(Cursor(AT, 1 << 40), backward=True)])
def test_a_token_keeps_the_whole_question_and_the_place(query: MessageQuery, place: Place[Cursor]) -> None:
    tokens = PageTokens("messages", MessageQuery, Cursor, key=KEY)
    assert tokens.read(tokens.token(query, place, 50)) == (query, place, 50)


def test_a_token_of_batches_keeps_their_states_and_the_instant_of_any_zone() -> None:
    tokens = PageTokens("batches", BatchQuery, Cursor, key=KEY)
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    query = BatchQuery(since=elsewhere, statuses=frozenset({BatchStatus.COMPLETED}), sender="+16505550180")
    assert tokens.read(tokens.token(query, Place(), 1))[0] == query


@given(st.binary(max_size=80) | st.text(max_size=80))
def test_what_was_not_written_here_is_refused(content: bytes | str) -> None:
    token = base64.urlsafe_b64encode(content).decode() if isinstance(content, bytes) else content
    with pytest.raises(InvalidRequest) as refused:
        numbers().read(token)
    assert (refused.value.code, refused.value.entries[0].parameter) == ("CMN-101", "pageToken")


def test_a_token_of_another_list_key_or_with_a_change_is_refused() -> None:
    token = numbers().token(Question(), Place(3), 10)
    assert numbers().read(token)
    changed = token[:-4] + ("A" if token[-4] != "A" else "B") + token[-3:]
    for tokens, shown in (
        (numbers(kind="others"), token),
        (numbers(key=b"other"), token),
        (numbers(), changed),
        (numbers(), "x" * 5000),
    ):
        with pytest.raises(InvalidRequest):
            tokens.read(shown)


def test_a_token_that_an_earlier_release_signed_in_another_form_is_refused() -> None:
    older: PageTokens[int, int] = PageTokens("numbers", int, int, key=KEY)
    with pytest.raises(InvalidRequest, match="another release"):
        numbers().read(older.token(5, Place(), 10))


def test_a_question_beside_its_token_has_to_be_the_same_where_it_says_something() -> None:
    require_same(Question(), Question("a", ("b",)))
    require_same(Question("a"), Question("a", ("b",)))
    for other in (Question("b"), Question(words=("c",))):
        with pytest.raises(InvalidRequest, match="other parameters"):
            require_same(other, Question("a", ("b",)))


@given(st.integers(0, 25), st.integers(1, 7))
async def test_following_the_next_token_meets_each_record_once_and_the_last_page_has_none(
    length: int, per_page: int
) -> None:
    records, seen, pages = list(range(length)), [], 0
    place: Place[int] = Place()
    while True:
        found = await page(records, place, per_page)
        seen += found.records
        pages += 1
        if found.next_token is None:
            break
        _, place, _ = numbers().read(found.next_token)
    assert seen == records
    assert pages == max(1, -(-length // per_page))


@given(st.integers(1, 25), st.integers(1, 7))
async def test_the_previous_token_leads_back_over_the_same_pages(length: int, per_page: int) -> None:
    records = list(range(length))
    forward: list[list[int]] = []
    found = await page(records, Place(), per_page)
    while True:
        forward.append(found.records)
        if found.next_token is None:
            break
        found = await page(records, numbers().read(found.next_token)[1], per_page)
    back = [found.records]
    while found.previous_token is not None:
        found = await page(records, numbers().read(found.previous_token)[1], per_page)
        back.append(found.records)
        assert found.next_token is not None
    assert back[::-1] == forward
    assert found.first_token == numbers().token(Question(), Place(), per_page)


async def test_a_page_that_has_become_empty_leads_back() -> None:
    found = await page([1, 2, 3], Place(3), 2)
    assert (found.records, found.next_token) == ([], None)
    assert found.previous_token is not None
    again = await page([1, 2, 3], numbers().read(found.previous_token)[1], 2)
    assert again.records == [1, 2]


async def test_paging_on_the_wire_leaves_out_the_pages_that_are_not_there() -> None:
    assert (await page([1], Place(), 2)).paging().keys() == {"perPage", "pageToken", "firstPageToken"}
    middle = await page([1, 2, 3], Place(1), 1)
    assert middle.paging().keys() == {
        "perPage",
        "pageToken",
        "firstPageToken",
        "previousPageToken",
        "nextPageToken",
    }
    assert middle.paging()["perPage"] == 1
