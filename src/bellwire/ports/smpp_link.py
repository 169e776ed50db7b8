"""The link under the SMPP carrier: connections that come and go, each with a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from bellwire.wire.smpp.pdus import SubmitSm
from bellwire.wire.smpp.session import Event, Session

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class SmppConnection(Protocol[T_contra]):
    """One connection. Once it has ended its methods do nothing."""

    def submit_at(self, now: float) -> float | None:
        """As `Session.submit_at`; None, too, while the peer does not read. Times are the event loop's."""
        ...

    def submit(self, pdu: SubmitSm, about: T_contra) -> None:
        """As `Session.submit`; `flush` once all are submitted."""
        ...

    def acknowledge(self, sequence: int, status: int = 0) -> None:
        """As `Session.acknowledge`; `flush` once all are acknowledged."""
        ...

    def flush(self) -> None:
        """Have written what was submitted and acknowledged."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class LinkUser(Protocol[T]):
    def on_event(self, connection: SmppConnection[T], event: Event[T]) -> None:
        """Called from the event loop, in order; `Bound` first and `Ended` last of a connection. One that was never
        bound has no events."""
        ...


class SmppLink(Protocol):
    """Keeps a bound connection as well as can be, between `start` and `stop`."""

    @property
    def is_bound(self) -> bool: ...

    @property
    def binds(self) -> int:
        """Binds that were made."""
        ...

    @property
    def seconds_to_next_try(self) -> float:
        """From now until there can be a bind again, if nothing goes wrong; at least a short while."""
        ...

    def start(self) -> None: ...

    async def stop(self, *, seconds: float) -> None:
        """Unbind, wait for the peer's answer for so long at most, and close."""
        ...


class MakeLink(Protocol):
    """Makes the link for a carrier; `make_session` is called with the event loop's time at each connection."""

    def __call__(self, user: LinkUser[T], make_session: Callable[[float], Session[T]]) -> SmppLink: ...
