"""What may be asked for: how many subscriptions, and how many event filters (wire contract, 3.2 and 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from bellwire.errors import Forbidden, InvalidRequest

MAX_SUBSCRIPTIONS = 30
"""Of one user with one application, on each of the two endpoints; both transports count."""

MAX_FILTERS = 100
"""Of one subscription. The contract names no limit; one is needed, since each costs memory and a check."""


def check_count(existing: int) -> None:
    """Refuse one subscription more than the limit; asked before the address is called.

    Raises:
        Forbidden: SUB-505.
    """
    if existing >= MAX_SUBSCRIPTIONS:
        raise Forbidden(
            "SUB-505",
            f"Subscriptions limit exceeded: at most {MAX_SUBSCRIPTIONS} of one user with one application.",
        )


def requested_filters(filters: Sequence[str]) -> tuple[str, ...]:
    """The event filters of a request as they will be parsed: equal ones folded into the first.

    The same text twice is one filter (it could only ever match what the first matches), and it is echoed once.

    Raises:
        InvalidRequest: CMN-101 for none, too many or an empty one.
    """
    if not filters:
        raise invalid_filters("at least one event filter is required")
    if len(filters) > MAX_FILTERS:
        raise invalid_filters(f"at most {MAX_FILTERS} event filters are allowed, not {len(filters)}")
    for number, text in enumerate(filters):
        if not text.strip():
            raise invalid_filters("an event filter must not be empty", f"eventFilters[{number}]")
    return tuple(dict.fromkeys(filters))


def invalid_filters(reason: str, parameter: str = "eventFilters") -> InvalidRequest:
    return InvalidRequest("CMN-101", f"Parameter [{parameter}] is invalid: {reason}.", parameter=parameter)
