"""`bellwire tail`: notifications as they come, over the WebSocket gateway."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwire.cli.failure import complain
from bellwire.cli.options import DataOption, ServerOption

if TYPE_CHECKING:
    from bellwire.families.declaration import Template


def tail(
    filters: Annotated[
        list[str] | None, typer.Argument(metavar="[FILTER]...", help="Event filters; by default what the user may see.")
    ] = None,
    *,
    count: Annotated[int | None, typer.Option(help="Stop after so many notifications.", min=1)] = None,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each notification, as received.")] = False,
) -> None:
    """Subscribe over a WebSocket and print notifications as they come. A lost connection is recovered.

    Logs in with the JWT that `bellwire env` names, or RC_USER_JWT and the application of RC_APP_CLIENT_ID.
    """
    from bellwire.cli.gateway_client import Login, StayingSubscribed
    from bellwire.cli.remote import Remote, known_variables, needed

    variables = known_variables(data)
    login = Login(
        Remote(server or needed(variables, "RC_SERVER_URL", "--server")),
        client=(needed(variables, "RC_APP_CLIENT_ID", None), variables.get("RC_APP_CLIENT_SECRET", "")),
        jwt=needed(variables, "RC_USER_JWT", None),
    )
    subscribed = StayingSubscribed(login, filters or _everything(), say=complain)
    try:
        for number, notification in enumerate(subscribed.notifications(), 1):
            typer.echo(json.dumps(notification, ensure_ascii=False) if as_json else _line(notification))
            if number == count:
                return
    except KeyboardInterrupt:
        return


def _everything() -> list[str]:
    """A filter for each family of the general endpoint that can be named without an id of its own."""
    from bellwire.families import REGISTRY
    from bellwire.model.subscription import SubscriptionApi

    found = []
    for family in REGISTRY.families:
        whole = [filter_text for template in family.templates if "{" not in (filter_text := _own(template))]
        if family.publishable and family.api is SubscriptionApi.GENERAL and whole:
            found.append(min(whole, key=len))
    return found


def _own(template: Template) -> str:
    """A template as a filter for the user's own, with the parameters that it can't do without."""
    path = template.path.replace("{accountId}", "~").replace("{extensionId}", "~")
    needed = [f"{each.name}={each.valid_value}" for each in template.parameters if each.required]
    return "?".join([path, "&".join(needed)]) if needed else path


def _line(notification: dict[str, Any]) -> str:
    """Time, family, topic, and what happened in a few words."""
    from bellwire.families import REGISTRY
    from bellwire.families.what_happened import what_happened

    topic = notification["event"]
    match = REGISTRY.match(topic.partition("?")[0])
    family = "unknown" if match is None else match.family.name
    at = datetime.fromisoformat(notification["timestamp"]).astimezone()
    body = notification.get("body", notification)
    return f"{at:%H:%M:%S}  {family:<21} {topic}  {what_happened(body)}".rstrip()
