"""Delivery attempts: one try to hand one notification to an endpoint, with its outcome in words for people."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bellwire.model.ids import Position, ReplayId, SubscriptionId


class FailureCode(StrEnum):
    """Why an attempt failed; a closed set."""

    DNS = "dns"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_FAILED = "connect_failed"
    TLS = "tls"
    RESPONSE_TIMEOUT = "response_timeout"
    RESET = "reset"
    MALFORMED_RESPONSE = "malformed_response"
    RESPONSE_TOO_LARGE = "response_too_large"
    REDIRECT = "redirect"
    STATUS_4XX = "status_4xx"
    STATUS_5XX = "status_5xx"
    STATUS_OTHER = "status_other"
    THROTTLED = "throttled"
    SSRF_BLOCKED = "ssrf_blocked"
    CANCELLED = "cancelled"
    """Bellwire stopped, or dropped the subscription, while the attempt was under way."""
    NOT_CONNECTED = "not_connected"
    RECOVERY_OVERFLOW = "recovery_overflow"
    RECOVERY_EXPIRED = "recovery_expired"
    FRAME_TOO_LARGE = "frame_too_large"


SOCKET_FAILURES = frozenset(
    {
        FailureCode.NOT_CONNECTED,
        FailureCode.RECOVERY_OVERFLOW,
        FailureCode.RECOVERY_EXPIRED,
        FailureCode.FRAME_TOO_LARGE,
    }
)
"""Those of WebSocket notifications; all others are of webhooks."""
SOCKET_ADDRESS = "websocket://"
"""What the address of a WebSocket attempt begins with; the client's own follows, where it is connected."""


class AttemptResult(msgspec.Struct, frozen=True, gc=False):
    """What one POST came to. `failure` None is success (2xx in time).

    `status` is 0 where no status line was read. `detail` is one plain sentence for people, empty on success.
    `retry_after_seconds` is what the endpoint asked for, not yet clamped. `duration_seconds` is from hand-over to
    outcome, connecting included.
    """

    failure: FailureCode | None
    status: int
    detail: str
    duration_seconds: float
    retry_after_seconds: float | None = None


class AttemptOutcome(StrEnum):
    """What the attempt means for its notification."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """To be tried again."""
    GIVEN_UP = "given_up"
    """Not to be tried again; it can be replayed."""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """The record of one try. Times are milliseconds since the epoch, durations microseconds.

    Made by position on the hot path, where names would double the price; by name elsewhere.
    """

    subscription: SubscriptionId
    position: Position
    topic: str
    uuid: str
    number: int
    """1 for the first."""
    address: str
    started_ms: int
    duration_us: int
    outcome: AttemptOutcome
    failure: FailureCode | None = None
    status: int = 0
    detail: str = ""
    next_try_ms: int | None = None
    replay: ReplayId | None = None
    """The replay that made it. Such an attempt is history only: it settles nothing."""

    @property
    def is_over_socket(self) -> bool:
        return self.address.startswith(SOCKET_ADDRESS)


class BacklogRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A notification that waits on disk. Its identity is (subscription, position, topic).

    `key`: ordering key. `filter_version` and `filter_index` name the event filter that it is rendered for.
    `size_bytes`: of the event's body, for accounting. `further`: the subscription gets the event on an earlier topic,
    too; None where that was not written down.
    """

    subscription: SubscriptionId
    position: Position
    topic: str
    key: str
    filter_version: int
    filter_index: int
    size_bytes: int
    further: bool | None = False
