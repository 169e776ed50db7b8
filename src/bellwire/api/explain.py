"""Would this event filter match this event, and if not, why not: `POST /bellwire/v1/explain`.

For whoever subscribes (an access token; `~` is the user) and for whoever publishes (a publisher key). Nothing is
published, and nobody's events are read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field

from bellwire.api.explain_views import ExplanationView
from bellwire.api.model import RequestBody
from bellwire.api.problems import documented
from bellwire.api.routing import api_router
from bellwire.engine.explain import Asker, explain_made_up
from bellwire.engine.publish import Submission
from bellwire.errors import Forbidden, InvalidRequest
from bellwire.families import a2p_message
from bellwire.filters.event_filter import MAX_FILTER_LENGTH
from bellwire.model.identity import ApiKey, Caller
from bellwire.model.ids import ExtensionId
from bellwire.ports.identity import Directory

PATH = "/bellwire/v1/explain"

_TEMPLATE = a2p_message.FAMILY.templates[0].path
_EXAMPLE: dict[str, Any] = {
    "filter": _TEMPLATE.replace("{accountId}", "~") + "?direction=Inbound",
    "event": {"event": _TEMPLATE.replace("{accountId}", "400100"), "body": {"direction": "Outbound"}},
}


class ExplainRequest(RequestBody):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    filter: str = Field(description="As a subscriber writes it.", json_schema_extra={"maxLength": MAX_FILTER_LENGTH})
    event: dict[str, Any] = Field(
        description=f"As for publishing (see the schema {Submission.__name__}); its `body` may leave out what the "
        "family requires, or be left out."
    )
    extensionId: Annotated[  # noqa: N815 - the wire's name
        str | None, Field(pattern=r"^[0-9]{1,20}$")
    ] = Field(
        default=None,
        description="With a publisher key: whose filter it is, for `~` and for the event's audience. "
        "With an access token it is its user's.",
    )


def explain_routes(
    *,
    directory: Directory,
    asking: Callable[..., Awaitable[Caller | ApiKey]],
    max_event_bytes: int,
) -> APIRouter:
    """
    Args:
        asking: a FastAPI dependency that gives the user or the publisher key behind the request.
    """
    router = api_router(tag="Events", responses=documented(400, 401, 403, 413, 415, 429))

    @router.post(PATH, summary="Would this event filter match this event, and if not, why not")
    async def explain(wanted: ExplainRequest, who: Caller | ApiKey = Depends(asking)) -> ExplanationView:
        """Nothing is published. A filter that nobody could subscribe to is refused as when subscribing."""
        explanation = explain_made_up(
            wanted.filter,
            _as_json(wanted.event),
            asker=_asker(who, None if wanted.extensionId is None else ExtensionId(wanted.extensionId)),
            directory=directory,
            max_event_bytes=max_event_bytes,
        )
        return ExplanationView.of(explanation)

    return router


def _asker(who: Caller | ApiKey, extension: ExtensionId | None) -> Asker:
    if isinstance(who, ApiKey):
        account = who.account_id or who.default_account_id
        return Asker(account=account, extension=extension, is_bound=who.account_id is not None)
    if extension not in (None, who.extension_id):
        raise Forbidden("CMN-404", "extensionId: an access token asks for its own user alone", parameter="extensionId")
    return Asker(account=who.account_id, extension=who.extension_id, is_bound=True)


def _as_json(event: dict[str, Any]) -> bytes:
    """What was read, written again, so that it is judged by the rules of publishing."""
    try:
        return msgspec.json.encode(event)
    except (ValueError, RecursionError) as unwritable:  # half a character, for one
        raise InvalidRequest("CMN-103", f"event is not valid JSON: {unwritable}", parameter="event") from None
