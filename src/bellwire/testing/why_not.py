"""Why a webhook address did not get what was published: asked of the server, and said in lines for a failed test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bellwire.testing.api_client import ApiClient, ApiError

MOST_EVENTS = 10
"""The newest."""
MOST_SUBSCRIPTIONS = 5
NOT_ANY_MORE = " any more: it got a handshake, and the subscription has expired or was deleted, or was refused"


def why_nothing_came(
    api: ApiClient, admin_key: str, address: str, arrived: set[str], *, had_one: bool = False
) -> list[str]:
    """Lines about each event that was published and has not arrived at an address.

    Args:
        arrived: uuids of the notifications that did arrive.
        had_one: the address got a handshake.
    """
    try:
        return list(_lines(api, admin_key, address, arrived, had_one))
    except (OSError, ApiError) as error:
        return [f"and the server could not be asked why: {error}"]


def _lines(api: ApiClient, key: str, address: str, arrived: set[str], had_one: bool) -> Iterator[str]:
    subscriptions = [
        one
        for one in api.ask("GET", "/bellwire/v1/subscriptions", token=key, query={"limit": 1000})["records"]
        if one["address"] == address
    ]
    events = api.ask("GET", "/bellwire/v1/events", token=key, query={"limit": MOST_EVENTS})["records"]
    if not subscriptions:
        yield "no subscription has this address" + (NOT_ANY_MORE if had_one else "")
    for one in subscriptions[:MOST_SUBSCRIPTIONS]:
        held = " and paused" if one["isPaused"] else ""
        yield f"subscription {one['id']}, {one['status']}{held}, to:"
        yield from (f"  {event_filter}" for event_filter in one["eventFilters"])
    missing = [event for event in reversed(events) if event["uuid"] not in arrived]
    if not events:
        yield "nothing was published"
    elif missing:
        yield "published, and not arrived:"
    for event in missing:
        yield f"  {event['topic']} (uuid {event['uuid']})"
        for one in subscriptions[:MOST_SUBSCRIPTIONS]:
            yield from (f"    {line}" for line in _why(api, key, event, one["id"], len(subscriptions) > 1))


def _why(api: ApiClient, key: str, event: Mapping[str, Any], subscription: str, is_named: bool) -> Iterator[str]:
    path = f"/bellwire/v1/events/{event['position']}/subscriptions/{quote(subscription, safe='')}"
    found = api.ask("GET", path, token=key)
    named = f"{subscription}: " if is_named else ""
    if found["matches"]:
        yield from (f"{named}{_fared(one)}" for one in found["notifications"])
        return
    yield from (f"{named}{reason['message']}" for reason in found["reasons"])
    several = len(found["filters"]) > 1
    for one in found["filters"]:
        before = f"{one['filter']}: " if several else named
        yield from (f"{before}{message}" for message in _messages(one["reasons"]))


def _fared(notification: Mapping[str, Any]) -> str:
    """How a notification stands that was to be delivered."""
    last = notification["lastAttempt"]
    if last is None:
        return f"it matches, and is {notification['state']}"
    said = last["detail"] or f"answered {last['status']}"
    again = f"; next try at {last['nextTryAt']}" if last["nextTryAt"] else ""
    return f"it matches, and is {notification['state']} after {notification['attempts']} attempts: {said}{again}"


def _messages(reasons: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(reason["message"]) for reason in reasons]
