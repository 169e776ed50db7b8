"""`POST /bellwire/v1/events`: one event, an array, or NDJSON of any length (design.md, Publishing).

A plain Starlette endpoint: a typed route would cost four times as much. NDJSON is taken in as it arrives, in bounded
memory: while one group of lines is being made durable, the next chunks gather in a short queue, and a full queue
stops reading from the client.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bellwire.api.problems import error_content
from bellwire.engine.publish import Origin, Publisher, Rejection, Submissions, Tally, repeatable_uuid
from bellwire.errors import (
    BellwireError,
    BodyBrokenOff,
    InvalidRequest,
    Overloaded,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnsupportedMedia,
)
from bellwire.model.event import Event
from bellwire.model.identity import ApiKey
from bellwire.observe.publishing import PublishWatch
from bellwire.observe.traces import Traces

PATH = "/bellwire/v1/events"

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.encode

Authenticate = Callable[[Request], Awaitable[ApiKey]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishLimits:
    """Sizes in bytes."""

    event_bytes: int = 256 << 10
    json_bytes: int = 16 << 20
    """A JSON body, which is read whole."""
    stream_bytes: int = 8 << 30
    """An NDJSON body, which is not."""
    group: int = 256
    """Lines that are judged and made durable together."""

    @property
    def line_bytes(self) -> int:
        """One line: the event, and what stands around its body."""
        return self.event_bytes + (64 << 10)


class RejectedEvent(msgspec.Struct):
    """Why one of the events was not taken."""

    index: Annotated[int, msgspec.Meta(description="Its place in the request, from 0")]
    errorCode: str  # noqa: N815 - the wire's name
    message: str


class PublishSummary(msgspec.Struct):
    """What became of the events. All that was accepted is durable."""

    accepted: int
    duplicates: Annotated[int, msgspec.Meta(description="Events whose uuid the account has had before")]
    processed: Annotated[int, msgspec.Meta(description="Accepted, duplicates and rejected together")]
    rejectedCount: int  # noqa: N815 - the wire's name
    rejected: Annotated[list[RejectedEvent], msgspec.Meta(description="The first 100 of those that were rejected")]


class _Lines:
    """Cuts chunks into lines. A line over the limit is passed over and comes out as None."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._passing_over = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        *ends, rest = chunk.split(b"\n")
        lines: list[bytes | None] = []
        for end in ends:
            if self._passing_over:
                self._passing_over = False
                lines.append(None)
            elif self._rest:
                lines.append(self._within(bytes(self._rest + end)))
            else:
                lines.append(self._within(end))
            self._rest.clear()
        if not self._passing_over:
            self._rest += rest
            if len(self._rest) > self._limit:
                self._passing_over = True
                self._rest.clear()
        return lines

    def end(self) -> list[bytes | None]:
        """The last line, where it has no line feed."""
        if self._passing_over:
            return [None]
        return [bytes(self._rest)] if self._rest else []

    def _within(self, line: bytes) -> bytes | None:
        return line if len(line) <= self._limit else None


class _Publishing:
    """One request: its key, its count of lines, and what became of them so far."""

    def __init__(
        self,
        *,
        submissions: Submissions,
        publisher: Publisher,
        limits: PublishLimits,
        key: ApiKey,
        idempotency: str | None,
        origin: Origin,
        watch: PublishWatch,
    ) -> None:
        self._submissions = submissions
        self._publisher = publisher
        self._limits = limits
        self._key = key
        self._idempotency = idempotency
        self._origin = origin
        self._watch = watch
        self._index = 0
        self.tally = Tally()

    async def take(self, items: list[bytes | msgspec.Raw | None]) -> None:
        """Judge some items and make those durable that are taken. An item of None is one that was too long."""
        begun = self._watch.begun()
        events: list[Event] = []
        rejections: list[tuple[int, Rejection]] = []
        for item in items:
            index, self._index = self._index, self._index + 1
            if item is None:
                judged: Event | Rejection = Rejection("CMN-101", f"The line is over {self._limits.line_bytes} bytes")
            else:
                fallback = None
                if self._idempotency is not None:
                    fallback = repeatable_uuid(self._key, self._idempotency, index)
                judged = self._submissions.read(item, self._key, fallback, self._origin)
            if type(judged) is Event:
                events.append(judged)
            elif type(judged) is Rejection:
                rejections.append((index, judged))
        if events:
            await self._publisher.publish(events, self.tally)
        else:
            await asyncio.sleep(0)  # a body of nothing but rejections must not keep the event loop
        for index, rejection in rejections:
            self.tally.reject(index, rejection)
        self._watch.group(begun, rejected=len(rejections))

    def end(self, refusal: BellwireError | None = None) -> None:
        """The request is over, taken whole or broken off."""
        tally = self.tally
        self._watch.request(
            accepted=tally.accepted,
            duplicates=tally.duplicates,
            rejected=tally.rejected_count,
            first_rejection=tally.rejected[0][1].message if tally.rejected else "",
            refusal=str(refusal or ""),
        )

    async def take_lines(self, chunks: AsyncIterator[bytes], stopping: asyncio.Event) -> None:
        """Take a stream of NDJSON; lines of blanks are not counted.

        Raises:
            BodyBrokenOff: the lines that came whole were taken; the last, without its line feed, was not.
            Unavailable: the server stops; what was read by then was taken.
        """
        lines = _Lines(self._limits.line_bytes)
        queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(maxsize=4)
        reader = asyncio.create_task(_read_into(queue, chunks, self._limits.stream_bytes))
        breaker = asyncio.create_task(_break_off(queue, stopping))
        group: list[bytes | msgspec.Raw | None] = []
        try:
            while True:
                chunk = await queue.get()
                if isinstance(chunk, BaseException):
                    await self.take(group)
                    raise chunk
                found = lines.end() if chunk is None else lines.feed(chunk)
                group += [line for line in found if line is None or line.strip()]
                while len(group) >= self._limits.group:
                    await self.take(group[: self._limits.group])
                    del group[: self._limits.group]
                if group and (chunk is None or queue.empty()):
                    await self.take(group)
                    group.clear()
                if chunk is None:
                    return
        finally:
            reader.cancel()
            breaker.cancel()


async def _read_into(
    queue: asyncio.Queue[bytes | BaseException | None], chunks: AsyncIterator[bytes], limit: int
) -> None:
    size = 0
    try:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise TooLarge("CMN-101", f"The body is over {limit} bytes; what came before was taken")
            if chunk:
                await queue.put(chunk)
        await queue.put(None)
    except (ClientDisconnect, BellwireError) as broken:
        await queue.put(broken)


async def _break_off(queue: asyncio.Queue[bytes | BaseException | None], stopping: asyncio.Event) -> None:
    await stopping.wait()
    await queue.put(Unavailable("Bellwire is stopping; send the rest again"))


def publish_route(
    *,
    authenticate: Authenticate,
    submissions: Submissions,
    publisher: Publisher,
    limits: PublishLimits,
    watch: PublishWatch,
    traces: Traces | None = None,
    stopping: asyncio.Event,
) -> Route:
    """The route; errors are raised for `api/problems.py`, except where something was taken before.

    Args:
        traces: where requests are traced; None costs nothing.
        stopping: set when the server stops, so that long requests end with an answer.
    """

    async def publish(request: Request) -> Response:
        request_id = getattr(request.state, "given_request_id", None)
        if traces is None:
            return await taken(request, Origin(request_id))
        with traces.publishing(request.headers.get("traceparent"), request_id) as span:
            answer = await taken(request, Origin(request_id, span.traceparent))
            span.answered(answer.status_code)
            return answer

    async def taken(request: Request, origin: Origin) -> Response:
        key = await authenticate(request)
        idempotency = request.headers.get("idempotency-key")
        if idempotency is not None and not IDEMPOTENCY_KEY.fullmatch(idempotency):
            raise InvalidRequest("CMN-407", "Idempotency-Key must be 1 to 255 visible ASCII characters")
        publishing = _Publishing(
            submissions=submissions,
            publisher=publisher,
            limits=limits,
            key=key,
            idempotency=idempotency,
            origin=origin,
            watch=watch,
        )
        media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        try:
            if media in {"application/x-ndjson", "application/ndjson", "application/jsonl"}:
                if _declared_bytes(request) > limits.stream_bytes:
                    raise TooLarge("CMN-101", f"The body is over {limits.stream_bytes} bytes; nothing of it was taken")
                await publishing.take_lines(request.stream(), stopping)
            elif media == "application/json":
                items = _items(await _whole_body(request, limits.json_bytes))
                for start in range(0, len(items), limits.group):  # a long array does not hold the others up
                    await publishing.take(items[start : start + limits.group])
            else:
                raise UnsupportedMedia(
                    "CMN-104", f"Content-Type is {media}; send application/json or application/x-ndjson"
                )
        except ClientDisconnect:
            publishing.end(Unavailable("the client hung up"))
            return Response(status_code=499)  # nobody reads it; what was taken stays taken
        except BellwireError as problem:
            publishing.end(problem)
            refused = _as_too_many(problem)
            if not publishing.tally.processed and not isinstance(problem, BodyBrokenOff):
                raise refused from problem
            status, headers, content = error_content(refused)
            return _answer(status, content | msgspec.to_builtins(_summary(publishing.tally)), headers)
        publishing.end()
        return _answer(202, _summary(publishing.tally), {})

    return Route(PATH, publish, methods=["POST"])


def _as_too_many(problem: BellwireError) -> BellwireError:
    """A log that can't keep up is the publisher's to slow down for: 429; a disk that is full stays a 503."""
    if isinstance(problem, Overloaded):
        return TooManyRequests("CMN-310", str(problem), retry_after_seconds=problem.retry_after_seconds)
    return problem


def _items(body: bytes) -> list[bytes | msgspec.Raw | None]:
    """The events of a JSON body: one object, or an array of them."""
    start = body.lstrip()[:1]
    if start != b"[":
        if not start:
            raise InvalidRequest("CMN-103", "The body is empty; send an event, an array of events, or NDJSON")
        try:
            return [msgspec.json.decode(body, type=msgspec.Raw)]
        except (msgspec.DecodeError, RecursionError) as malformed:
            raise InvalidRequest("CMN-103", f"The body is not valid JSON: {malformed}") from malformed
    try:
        return list(_decode_list(body))
    except (msgspec.DecodeError, RecursionError) as malformed:
        raise InvalidRequest("CMN-103", f"The body is not valid JSON: {malformed}") from malformed


async def _whole_body(request: Request, limit: int) -> bytes:
    too_large = f"The body is over {limit} bytes; send large amounts as application/x-ndjson"
    if _declared_bytes(request) > limit:
        raise TooLarge("CMN-101", too_large)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge("CMN-101", too_large)
        chunks.append(chunk)
    return b"".join(chunks)


def _declared_bytes(request: Request) -> int:
    """The body's length where the head says it; 0 where it doesn't."""
    declared = request.headers.get("content-length", "")
    return int(declared[:20]) if declared.isdecimal() else 0


def _summary(tally: Tally) -> PublishSummary:
    return PublishSummary(
        accepted=tally.accepted,
        duplicates=tally.duplicates,
        processed=tally.processed,
        rejectedCount=tally.rejected_count,
        rejected=[RejectedEvent(index, rejection.code, rejection.message) for index, rejection in tally.rejected],
    )


def _answer(status: int, content: object, headers: dict[str, str]) -> Response:
    return Response(_encode(content), status, headers, media_type="application/json; charset=UTF-8")
