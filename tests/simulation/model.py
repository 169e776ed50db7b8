"""What a story's events are, who has to get them, and who may: plain look-ups over all filters, nothing clever."""

from __future__ import annotations

from dataclasses import dataclass, field

from bellwire.model.event import Event
from bellwire.model.ids import AccountId, Position, SubscriptionId
from bellwire.model.subscription import Subscription

ACCOUNT = AccountId("1")
EXTENSIONS = ("11", "12")
DIRECTIONS = ("Inbound", "Outbound")
_ROOT = f"/restapi/v1.0/account/{ACCOUNT}"
_FAR = 1 << 60


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, `number` being its name in the story."""

    number: int
    is_call: bool
    extension: str
    key: str
    direction: str

    @property
    def topics(self) -> tuple[str, ...]:
        if not self.is_call:
            return (f"{_ROOT}/a2p-sms/messages",)
        return (f"{_ROOT}/extension/{self.extension}/telephony/sessions", f"{_ROOT}/telephony/sessions")

    @property
    def event(self) -> Event:
        if self.is_call:
            body = (
                f'{{"n":{self.number},"telephonySessionId":"{self.key}",'
                f'"parties":[{{"direction":"{self.direction}","status":{{"code":"Answered"}}}}]}}'
            )
        else:
            body = (
                f'{{"n":{self.number},"id":"{self.key}","from":"+12025550143","to":["+12025550188"],'
                f'"direction":"{self.direction}"}}'
            )
        return Event(
            account=ACCOUNT,
            uuid=f"event-{self.number}",
            chosen=True,
            topic=self.topics[0],
            timestamp_ms=1_700_000_000_000 + self.number,
            body=body.encode(),
        )


FILTERS = tuple(
    f"{path}{query}"
    for path in (
        f"{_ROOT}/telephony/sessions",
        f"{_ROOT}/a2p-sms/messages",
        *(f"{_ROOT}/extension/{extension}/telephony/sessions" for extension in EXTENSIONS),
    )
    for query in ("", "?direction=Inbound", "?direction=Outbound")
)


def is_match(text: str, topic: str, happening: Happening) -> bool:
    path, _, query = text.partition("?")
    return path == topic and query in {"", f"direction={happening.direction}"}


@dataclass(slots=True)
class _Stretch:
    """Filters that are in force for positions in `(after, until]`."""

    after: int
    until: int
    filters: tuple[str, ...]


@dataclass(slots=True)
class _Known:
    """`stored`: what the records on disk say. `overlaps`: filters that were still in force while the record with their
    successors was written: an event of that moment may go out by either."""

    stored: list[_Stretch] = field(default_factory=list)
    overlaps: list[_Stretch] = field(default_factory=list)
    version: int = 1


class Expectations:
    """Which filters were in force at which position."""

    def __init__(self) -> None:
        self._known: dict[SubscriptionId, _Known] = {}

    @property
    def subscriptions(self) -> list[SubscriptionId]:
        return list(self._known)

    def stored(self, record: Subscription) -> None:
        """A record is durable. Versions that it has no more were in force before those that it has."""
        known = self._known.setdefault(record.id, _Known())
        first, last = record.versions[0].from_position, record.versions[-1]
        if known.version != last.version:
            known.version = last.version
            known.overlaps.append(_Stretch(last.from_position, _FAR, known.stored[-1].filters))
        before = [stretch for stretch in known.stored if stretch.after < first]
        for stretch in before:
            stretch.until = min(stretch.until, first)
        known.stored = before + [
            _Stretch(
                version.from_position,
                _FAR if version.until_position is None else version.until_position,
                version.filters,
            )
            for version in record.versions
        ]

    def took_over(self, record: Subscription, head: Position) -> None:
        """The engine matches by a record, or died: up to the log's head, it matched by the version before."""
        for overlap in self._known[record.id].overlaps if record.id in self._known else ():
            overlap.until = min(overlap.until, head)

    def removed(self, subscription: SubscriptionId) -> None:
        self._known.pop(subscription, None)

    def may(
        self, subscription: SubscriptionId, text: str, topic: str, position: Position, happening: Happening
    ) -> bool:
        """Whether a notification, named by the filter it was sent for, is one that the subscription wants."""
        return is_match(text, topic, happening) and any(
            text in filters for filters in self._in_force(subscription, position)
        )

    def must(self, subscription: SubscriptionId, topic: str, position: Position, happening: Happening) -> bool:
        """Whether the subscription has to be sent an event on a topic, by all that was in force at its position."""
        in_force = self._in_force(subscription, position)
        return bool(in_force) and all(any(is_match(text, topic, happening) for text in filters) for filters in in_force)

    def is_between_versions(self, subscription: SubscriptionId, position: Position) -> bool:
        """Whether a position was reached while the filters were being changed."""
        known = self._known.get(subscription)
        return known is not None and any(overlap.after < position <= overlap.until for overlap in known.overlaps)

    def _in_force(self, subscription: SubscriptionId, position: Position) -> list[tuple[str, ...]]:
        known = self._known.get(subscription)
        if known is None:
            return []
        return [
            stretch.filters
            for stretches in (known.stored, known.overlaps)
            for stretch in stretches
            if stretch.after < position <= stretch.until
        ]
