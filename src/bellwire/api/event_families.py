"""`GET /bellwire/v1/event-families`, and the `webhooks` section of the OpenAPI document: the registry, as data.

Both say what each kind of event is announced on, how a filter may narrow it, and what its body holds. Nothing is
written here twice: all of it comes from the families' declarations.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from itertools import groupby
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field, create_model

from bellwire.api.model import ApiModel, RequestBody
from bellwire.api.problems import documented
from bellwire.api.routing import api_router
from bellwire.errors import NotFound
from bellwire.families.declaration import EventFamily
from bellwire.filters import TemplateReference, reference


class QueryParameterInfo(ApiModel):
    name: str
    role: str = Field(description="predicate narrows what matches, projection changes the body, schedule sets timing")
    type: str
    format: str | None
    description: str
    allowed: list[str] = Field(description="Empty: any value")
    fixed: str | None = Field(description="The one value that belongs to the template")
    required: bool
    minimum: int | None


class PathParameterInfo(ApiModel):
    name: str
    allowed: list[str] = Field(description="Empty: any id")


class TemplateInfo(ApiModel):
    """One path that filters may name."""

    template: str
    aliases: list[str]
    pathParameters: list[PathParameterInfo]  # noqa: N815 - the wire's name
    queryParameters: list[QueryParameterInfo]  # noqa: N815
    permission: str | None = Field(description="What the application needs")
    othersPermission: str | None = Field(  # noqa: N815
        description="What the user needs for another extension's events, or the account's"
    )
    example: str = Field(description="An event filter that works for any caller")


class EventFamilyInfo(ApiModel):
    """One kind of event."""

    name: str
    title: str
    description: str
    endpoint: str = Field(description="Which subscription API takes its filters: general or webinar")
    flat: bool = Field(description="The body's fields stand beside the envelope's")
    publishable: bool = Field(description="False: only Bellwire itself makes these events")
    templates: list[TemplateInfo] = Field(description="Most specific first")
    sample: dict[str, Any] = Field(description="A body")
    bodySchema: dict[str, Any] = Field(description="JSON Schema of the body")  # noqa: N815


class EventFamilies(ApiModel):
    """All event families, by name."""

    records: list[EventFamilyInfo]


def family_routes() -> APIRouter:
    """The families' reference; public, since it is documentation."""
    router = api_router(tag="Event families")

    @cache  # made when first asked for: the schemas of all bodies would hold up each start
    def records() -> dict[str, EventFamilyInfo]:
        return {
            name: _family_info(name, list(templates))
            for name, templates in groupby(reference(), key=lambda template: template.family)
        }

    @router.get("/bellwire/v1/event-families", summary="All event families, their filters, parameters and bodies")
    async def list_event_families() -> EventFamilies:
        return EventFamilies(records=list(records().values()))

    @router.get("/bellwire/v1/event-families/{name}", summary="One event family", responses=documented(404))
    async def read_event_family(name: str) -> EventFamilyInfo:
        if name not in records():
            close = get_close_matches(name[:100], records(), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise NotFound("CMN-102", f"There is no event family {name[:100]!r}{hint}", parameter="name")
        return records()[name]

    return router


def _family_info(name: str, templates: Sequence[TemplateReference]) -> EventFamilyInfo:
    first = templates[0]
    return EventFamilyInfo(
        name=name,
        title=first.title,
        description=first.description,
        endpoint=first.endpoint,
        flat=first.is_flat,
        publishable=first.publishable,
        templates=[TemplateInfo.model_validate(template.as_json()) for template in templates],
        sample=dict(first.sample),
        bodySchema=dict(first.body_schema),
    )


class Envelope(RequestBody):
    """A notification's envelope (wire contract, 3.9)."""

    uuid: str = Field(description="The same at each attempt; handlers are idempotent on it")
    event: str = Field(
        description="The event filter that matched, with the query as subscribed; `~` is replaced by the ids, "
        "but for reminders"
    )
    timestamp: str = Field(description="UTC, with milliseconds", json_schema_extra={"format": "date-time"})
    subscriptionId: str  # noqa: N815 - the wire's name
    ownerId: str = Field(description="Extension that owns the subscription")  # noqa: N815 - the wire's name


_SENT_HEADERS = {
    "Verification-Token": "What the subscription gave as `verificationToken`",
    "webhook-id": "With a signing secret (Standard Webhooks): the notification's `uuid`",
    "webhook-timestamp": "With a signing secret: seconds since 1970",
    "webhook-signature": "With a signing secret: `v1,` and the signature in base64",
}


def family_webhooks(families: Sequence[EventFamily]) -> APIRouter:
    """One webhook operation a family, for the OpenAPI document alone."""
    webhooks = api_router()
    for family in families:
        webhooks.add_api_route(
            family.name,
            _received(_notification_model(family)),
            name=f"receive_{family.name}",
            methods=["POST"],
            summary=family.title,
            description=f"{family.description}\n\nEvent filters: "
            + ", ".join(f"`{template.path}`" for template in family.templates),
            tags=["Notifications"],
            response_class=Response,
            response_description="Taken, as with any other 2xx; the body is ignored",
            responses={"default": {"description": "Not taken: it is sent again later"}},
            openapi_extra={
                "parameters": [
                    {"name": name, "in": "header", "schema": {"type": "string"}, "description": text}
                    for name, text in _SENT_HEADERS.items()
                ]
            },
        )
    return webhooks


def _notification_model(family: EventFamily) -> type[BaseModel]:
    name = "".join(part.title() for part in family.name.split("_")) + "Notification"
    if family.is_flat:
        return create_model(name, __base__=(Envelope, family.body, RequestBody))
    return create_model(name, __base__=Envelope, body=(family.body, ...))


def _received(model: type[BaseModel]) -> Any:
    async def receive(notification: Any) -> None: ...

    receive.__annotations__["notification"] = model
    return receive
