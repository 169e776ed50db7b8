"""Publishing: what a producer hands over becomes a valid event and then a durable one.

`Submissions` turns bytes into an event or a rejection, and is the one place where a published event is judged;
`Publisher` appends events to the log in order and says what became of each.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from pydantic import ValidationError

from bellwire.engine.fairness import Unrouted
from bellwire.errors import InvalidRequest
from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily
from bellwire.filters import ResolvedTopic, parse_topic
from bellwire.filters.topic import MAX_EVENT_LENGTH
from bellwire.model.directory import Status
from bellwire.model.event import Event, Facts
from bellwire.model.identity import ApiKey
from bellwire.model.ids import AccountId, ExtensionId, Partition
from bellwire.model.instants import to_milliseconds
from bellwire.ports.clock import Clock
from bellwire.ports.event_log import Appended, EventLog

_UUID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_AUDIENCE = 10_000
_EARLIEST_MS = 0
_LATEST_MS = 253_402_300_799_999


class Rejection(msgspec.Struct, frozen=True):
    """Why one of the submitted events was not taken."""

    code: str
    message: str


class Origin(msgspec.Struct, frozen=True):
    """Where events came from: the id that the request gave itself, and the span that it is traced by."""

    request_id: str | None = None
    trace: str | None = None


NO_ORIGIN = Origin()


def _said(description: str, **schema: Any) -> msgspec.Meta:
    """What the API's description says of a field. It checks nothing: `Submissions` does, in words of its own."""
    return msgspec.Meta(description=description, extra_json_schema=schema)


class Submission(msgspec.Struct, forbid_unknown_fields=True):
    """One event as a producer writes it. The fields of an envelope that Bellwire fills in by itself may be there,
    so that a recorded notification can be published as it is."""

    event: Annotated[
        str,
        _said(
            "A topic of any family, with concrete ids; its query, if any, is that of a filter",
            maxLength=MAX_EVENT_LENGTH,
        ),
    ]
    body: Annotated[msgspec.Raw, _said("As the family's body; see its webhook, or its event family", type="object")]
    uuid: Annotated[
        str | None,
        _said(
            "Becomes the notification's; an event whose uuid the account has had before is a duplicate. "
            "Bellwire chooses one for an event without",
            pattern=f"^{_UUID.pattern}$",
        ),
    ] = None
    timestamp: Annotated[str | None, _said("When it happened, in ISO 8601; without offset it is UTC. Default: now")] = (
        None
    )
    accountId: Annotated[  # noqa: N815 - the wire's name
        str | None, _said("Needed where neither the topic nor the key's scope says it", pattern=f"^{_ID.pattern}$")
    ] = None
    audience: Annotated[
        list[Annotated[str, _said("An extension id", pattern=f"^{_ID.pattern}$")]] | None,
        _said(
            "For families whose subscribers see only their own events: who may see it. Default: the whole account",
            maxItems=_MAX_AUDIENCE,
        ),
    ] = None
    subscriptionId: Annotated[str | None, _said("Passed over")] = None  # noqa: N815 - the wire's name
    ownerId: Annotated[str | None, _said("Passed over")] = None  # noqa: N815 - the wire's name


_decode_submission = msgspec.json.Decoder(Submission).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Submissions:
    """Judges what is submitted. Pure but for the clock; keeps parsed topics, since they recur."""

    def __init__(
        self,
        *,
        clock: Clock,
        max_event_bytes: int,
        status_of: Callable[[AccountId], Status | None],
    ) -> None:
        """`status_of`: an account's; None for one that there is not."""
        self._clock = clock
        self._max_event_bytes = max_event_bytes
        self._status_of = status_of
        self._topic = lru_cache(maxsize=65_536)(_resolve)

    def read(
        self, item: bytes | msgspec.Raw, key: ApiKey, fallback_uuid: str | None, origin: Origin | None = None
    ) -> Event | Rejection:
        """One submitted event, or why it is rejected.

        Args:
            item: the JSON object's bytes.
            key: the publisher's.
            fallback_uuid: for an event without uuid, one that a repeated request would choose again.
            origin: what the request says of itself.
        """
        try:
            return self._read(item, key, fallback_uuid, origin or NO_ORIGIN)
        except InvalidRequest as refused:
            return Rejection(refused.code, refused.message)
        except msgspec.ValidationError as mismatch:
            return Rejection("CMN-101", f"The event has another form than expected: {mismatch}")
        except (msgspec.DecodeError, UnicodeDecodeError) as malformed:
            return Rejection("CMN-103", f"The event is not valid JSON: {malformed}")
        except RecursionError:
            return Rejection("CMN-103", "The event is nested too deeply")

    def _read(
        self, item: bytes | msgspec.Raw, key: ApiKey, fallback_uuid: str | None, origin: Origin
    ) -> Event | Rejection:
        submission = decode_submission(item)
        raw = bytes(submission.body)
        if len(raw) > self._max_event_bytes:
            return _bad("body", f"has {len(raw)} bytes; at most {self._max_event_bytes} are allowed")
        stated_account = stated_account_of(submission)
        if isinstance(stated_account, Rejection):
            return stated_account
        topic = self._topic(submission.event, stated_account or key.account_id or key.default_account_id)
        if isinstance(topic, Rejection):
            return topic
        account = topic.account
        if account is None:
            return _bad("accountId", "is needed: neither the event's path nor the publisher key says it")
        if stated_account is not None and stated_account != account:
            return _bad("accountId", f"is {stated_account}, but the event's path says {account}")
        if key.account_id is not None and key.account_id != account:
            return Rejection("CMN-401", f"event: the publisher key is for account {key.account_id}, not {account}")
        if (problem := judge_account(account, self._status_of(account))) is not None:
            return problem
        family = topic.family
        if (problem := _judge_body(family, raw)) is not None:
            return problem
        body = _decode_object(raw)
        uuid, chosen = uuid_of(submission), True
        if isinstance(uuid, Rejection):
            return uuid
        if uuid is None:
            uuid, chosen = (fallback_uuid, True) if fallback_uuid is not None else (_random_uuid(), False)
        audience = audience_of(submission)
        if isinstance(audience, Rejection):
            return audience
        happened_ms = time_of(submission)
        if isinstance(happened_ms, Rejection):
            return happened_ms
        received_ms = self._clock.now_ms()
        return Event(
            account=account,
            uuid=uuid,
            chosen=chosen,
            topic=topic.topic,
            timestamp_ms=received_ms if happened_ms is None else happened_ms,
            body=raw,
            audience=audience,
            stated=topic.stated,
            facts=Facts(family.rows(body), family.ordering_key(topic.values, body)),
            received_ms=received_ms,
            request_id=origin.request_id,
            trace=origin.trace,
        )


def decode_submission(item: bytes | msgspec.Raw) -> Submission:
    """One event as its producer wrote it, its `body` not looked at yet.

    Raises:
        msgspec.ValidationError: it has another form.
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is not JSON, or nested too deeply.
    """
    try:
        return _decode_submission(item)
    except msgspec.ValidationError:
        flat = _flat_submission(item)
        if flat is None:
            raise
        return flat


def judge_account(account: AccountId, status: Status | None) -> Rejection | None:
    """Why nothing is published in an account; `status` is None for one that there is not."""
    if status is None:
        return Rejection("CMN-102", f"account {account} is not found: make it first, with bellwire admin accounts")
    if status is Status.DISABLED:
        return Rejection("CMN-109", f"account {account} is disabled: nobody would be told")
    return None


def uuid_of(submission: Submission) -> str | Rejection | None:
    if submission.uuid is not None and not _UUID.fullmatch(submission.uuid):
        return _bad("uuid", "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -")
    return submission.uuid


def time_of(submission: Submission) -> int | Rejection | None:
    """When it happened, in milliseconds since the epoch; None is now."""
    if submission.timestamp is None:
        return None
    parsed = _parse_time(submission.timestamp)
    return _bad("timestamp", "is not an ISO 8601 date-time") if parsed is None else parsed


def stated_account_of(submission: Submission) -> AccountId | Rejection | None:
    """The account that the event names beside its path."""
    stated = submission.accountId
    if stated is not None and not _ID.fullmatch(stated):
        return _bad("accountId", "is not an account id")
    return None if stated is None else AccountId(stated)


def audience_of(submission: Submission) -> tuple[ExtensionId, ...] | Rejection | None:
    """Who may see the event; None is the whole account."""
    if submission.audience is None:
        return None
    if len(submission.audience) > _MAX_AUDIENCE or not all(map(_ID.fullmatch, submission.audience)):
        return _bad("audience", f"must be a list of at most {_MAX_AUDIENCE} extension ids")
    return tuple(map(ExtensionId, submission.audience))


def _flat_submission(item: bytes | msgspec.Raw) -> Submission | None:
    """A recorded notification of a flat family, whose body's fields stand beside the envelope's; None for all else."""
    members = _decode_members(item)
    event = members.get("event")
    if event is None or "body" in members:
        return None
    match = REGISTRY.match(msgspec.json.decode(event, type=str).partition("?")[0])
    if match is None or not match.family.is_flat:
        return None
    own = {name: members.pop(name) for name in Submission.__struct_fields__ if name in members}
    body = msgspec.json.encode(members)
    return _decode_submission(msgspec.json.encode({**own, "body": msgspec.Raw(body)}))


def _judge_body(family: EventFamily, raw: bytes) -> Rejection | None:
    """The body against its family's model: strict, and straight from the bytes."""
    try:
        family.body.__pydantic_validator__.validate_json(raw)
    except ValidationError as errors:
        first = errors.errors(include_url=False, include_context=False, include_input=False)[0]
        whole = msgspec.json.decode(raw) if first["loc"] else None
        place = ".".join(["body", *steps(first["loc"], whole, is_missing=first["type"] == "missing")])
        more = errors.error_count() - 1
        rest = f" (and {more} more)" if more else ""
        return Rejection("CMN-101", f"{place}: {first['msg']}{rest}; family {family.name}")
    return None


def steps(location: tuple[int | str, ...], value: Any, *, is_missing: bool) -> list[str]:
    """A place in a body as its writer sees it: pydantic's also names the variants of a union that it went through.

    Args:
        is_missing: the last step leads to a field that is not there.
    """
    taken: list[str] = []
    for number, step in enumerate(location, 1):
        is_field = step in value if isinstance(value, dict) else isinstance(value, list) and isinstance(step, int)
        if is_field:
            value = value[step]
        elif not is_missing or not isinstance(value, dict) or number < len(location):
            continue
        taken.append(str(step))
    return taken


def _resolve(event: str, account: str | None) -> ResolvedTopic | Rejection:
    """A topic, resolved; its refusal is kept too, since a broken producer repeats itself."""
    try:
        topic = parse_topic(event, account=AccountId(account) if account else None)
    except InvalidRequest as refused:
        return Rejection(refused.code, refused.message)
    if not topic.family.publishable:
        return Rejection("CMN-101", f"event: only Bellwire itself announces {topic.family.name} events")
    return topic


def _bad(field: str, what: str) -> Rejection:
    return Rejection("CMN-101", f"{field} {what}")


def _random_uuid() -> str:
    """A version 4 UUID, at a third of what `uuid.uuid4` costs: no object is made on the way."""
    drawn = os.urandom(16).hex()
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{'89ab'[int(drawn[16], 16) & 3]}{drawn[17:20]}-{drawn[20:]}"


def _parse_time(text: str) -> int | None:
    """Milliseconds since the epoch of an ISO 8601 date-time; without offset it is UTC (wire contract, 2.7)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    milliseconds = to_milliseconds(moment)
    return milliseconds if _EARLIEST_MS <= milliseconds <= _LATEST_MS else None


def repeatable_uuid(key: ApiKey, idempotency_key: str, ordinal: int) -> str:
    """The uuid of an event that has none, where the request has an `Idempotency-Key`: the same at each repetition."""
    return hashlib.sha256(f"{key.id}\0{idempotency_key}\0{ordinal}".encode()).hexdigest()[:40]


class Tally(msgspec.Struct):
    """What became of the events of one request. `rejected` lists the first ones, each with its 0-based index."""

    accepted: int = 0
    duplicates: int = 0
    rejected_count: int = 0
    rejected: list[tuple[int, Rejection]] = msgspec.field(default_factory=list)

    def reject(self, index: int, rejection: Rejection, *, listed: int = 100) -> None:
        self.rejected_count += 1
        if len(self.rejected) < listed:
            self.rejected.append((index, rejection))

    @property
    def processed(self) -> int:
        return self.accepted + self.duplicates + self.rejected_count


class Publisher:
    """Appends events to the log and counts what became of them. `counts`: since the start, by outcome."""

    def __init__(self, *, log: EventLog, partition: Partition, unrouted: Unrouted) -> None:
        self._log = log
        self._partition = partition
        self._unrouted = unrouted
        self.counts = {"accepted": 0, "duplicate": 0}

    async def publish(self, events: Sequence[Event], tally: Tally | None = None) -> Tally:
        """Make the events durable, in order; returns when they are.

        Waits while an account of theirs has too many unrouted events.

        Raises:
            Unavailable: the log can't take them now; none of them was logged.
        """
        tally = tally if tally is not None else Tally()
        if not events:
            return tally
        accepted, duplicates = tally.accepted, tally.duplicates
        accounts = Counter(event.account for event in events)
        for account, count in accounts.items():
            await self._unrouted.room(account)
            self._unrouted.published(account, count)  # before the log has them: the router may be quicker than we are
        try:
            answers = await self._log.append(self._partition, events)
        except BaseException:
            for account, count in accounts.items():
                self._unrouted.withdrawn(account, count)
            raise
        for event, answer in zip(events, answers, strict=True):
            if type(answer) is Appended:
                tally.accepted += 1
            else:
                tally.duplicates += 1
                self._unrouted.withdrawn(event.account, 1)
        self.counts["accepted"] += tally.accepted - accepted
        self.counts["duplicate"] += tally.duplicates - duplicates
        return tally
