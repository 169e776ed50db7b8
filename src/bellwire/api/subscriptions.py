"""Subscriptions over HTTP: the general and the webinar endpoint (wire contract, 3 and 4).

Both are the same routes over the same use cases. They differ in their path, in the status of a creation (200 and 201),
and in that neither knows the other's subscriptions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Request
from fastapi.openapi.models import Example
from fastapi.responses import JSONResponse, Response
from pydantic import ConfigDict, Field, JsonValue, StrictInt

from bellwire.api.authentication import Authenticator
from bellwire.api.bodies import optional_json
from bellwire.api.model import ApiModel, RequestBody
from bellwire.api.problems import CALLED_WITH_TOKEN, documented
from bellwire.api.public_url import PublicUrl
from bellwire.api.rate_limits import RateGroup
from bellwire.api.routing import api_router
from bellwire.engine.subscribe import Subscriptions, WebhookRequest
from bellwire.engine.subscribe_socket import SocketSubscriptions
from bellwire.errors import InvalidRequest
from bellwire.filters import MAX_FILTER_LENGTH
from bellwire.model.identity import Caller
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import Subscription, SubscriptionApi, TransportType
from bellwire.ports.clock import Clock
from bellwire.ports.socket_gateway import socket_link_of
from bellwire.subscriptions.lifetime import DEFAULT_SECONDS
from bellwire.subscriptions.requested import MAX_FILTERS, MAX_SUBSCRIPTIONS
from bellwire.subscriptions.resource import COLLECTION_PATH, subscription_resource
from bellwire.wire.webhook.address import MAX_ADDRESS_LENGTH
from bellwire.wire.webhook.request import MAX_VERIFICATION_TOKEN_LENGTH
from bellwire.wire.webhook.signature import MAX_SECRET_BYTES, MIN_SECRET_BYTES

_CREATED = {SubscriptionApi.GENERAL: 200, SubscriptionApi.WEBINAR: 201}
_EXAMPLE_FILTER = {
    SubscriptionApi.GENERAL: "/restapi/v1.0/account/~/extension/~/presence?detailedTelephonyState=true",
    SubscriptionApi.WEBINAR: "/webinar/configuration/v1/company/sessions",
}
_TAGS = {SubscriptionApi.GENERAL: "Subscriptions", SubscriptionApi.WEBINAR: "Webinar subscriptions"}

FilterText = Annotated[str, Field(min_length=1, json_schema_extra={"maxLength": MAX_FILTER_LENGTH})]
"""Its length is judged by the parser, with all else about it."""

_EXPIRES_IN = Field(
    default=None,
    ge=1,
    description=f"Lifetime in seconds; the default is {DEFAULT_SECONDS}, and more than ten years is ten years.",
)


_VISIBLE_ASCII: dict[str, JsonValue] = {"pattern": "^[!-~]*$", "maxLength": MAX_VERIFICATION_TOKEN_LENGTH}


def _require_address(schema: dict[str, Any]) -> None:
    """It has a default only so that its absence is said in words of our own."""
    schema["required"].append("address")
    del schema["properties"]["address"]["default"]


class DeliveryModeRequest(ApiModel):
    """How notifications are to be delivered. Other keys are ignored."""

    model_config = ConfigDict(json_schema_extra=_require_address)

    transportType: str = Field(json_schema_extra={"enum": ["WebHook"]})  # noqa: N815 - the wire's name
    address: str = Field(
        default="",
        description="The URL that notifications are posted to.",
        json_schema_extra={"format": "uri", "minLength": 1, "maxLength": MAX_ADDRESS_LENGTH},
    )
    verificationToken: str | None = Field(  # noqa: N815
        default=None,
        description="Sent along with each notification as `Verification-Token`; never shown again.",
        json_schema_extra=_VISIBLE_ASCII,
    )
    validationToken: str | None = Field(  # noqa: N815
        default=None,
        description="Another name of `verificationToken`, which wins where both are given.",
        json_schema_extra=_VISIBLE_ASCII,
    )
    signingSecret: str | None = Field(  # noqa: N815
        default=None,
        description="Bellwire's extension: notifications are signed with it (Standard Webhooks; `whsec_` and base64 of "
        f"{MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes). Never shown again.",
        json_schema_extra={"pattern": "^whsec_([A-Za-z0-9+/]{4}){8,21}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"},
    )


class SubscriptionUpdate(ApiModel):
    """What changes. Other keys, `deliveryMode` among them, are ignored."""

    eventFilters: list[FilterText] | None = Field(  # noqa: N815
        default=None,
        min_length=1,
        max_length=MAX_FILTERS,
        description="Replaces the event filters; without it they stay.",
    )
    expiresIn: StrictInt | None = _EXPIRES_IN  # noqa: N815


class SubscriptionRequest(RequestBody):
    """A subscription to be made. Other keys are ignored."""

    eventFilters: list[FilterText] = Field(min_length=1, max_length=MAX_FILTERS)  # noqa: N815
    deliveryMode: DeliveryModeRequest  # noqa: N815
    expiresIn: StrictInt | None = _EXPIRES_IN  # noqa: N815


class DeliveryMode(ApiModel):
    """How notifications are delivered; `address` and `encryption` with WebHook."""

    transportType: Literal["WebHook", "WebSocket"]  # noqa: N815
    address: str | None = None
    encryption: Literal[False] | None = None


class DisabledFilterInfo(ApiModel):
    """An event filter that was asked for and is not in force."""

    filter: str
    reason: str = Field(description="A code, as SUB-412")
    message: str


class BlacklistedData(ApiModel):
    """Why notifications are held back."""

    blacklistedAt: str = Field(json_schema_extra={"format": "date-time"})  # noqa: N815
    reason: str


class SubscriptionInfo(ApiModel):
    """A subscription. What has no value is left out."""

    id: str
    uri: str = Field(json_schema_extra={"format": "uri"})
    eventFilters: list[str] = Field(description="With `~` replaced by the real ids")  # noqa: N815
    disabledFilters: list[DisabledFilterInfo] | None = None  # noqa: N815
    creationTime: str = Field(json_schema_extra={"format": "date-time"})  # noqa: N815
    expirationTime: str = Field(json_schema_extra={"format": "date-time"})  # noqa: N815
    expiresIn: int = Field(ge=1, description="Seconds left, rounded down")  # noqa: N815
    status: Literal["Active", "Blacklisted"]
    deliveryMode: DeliveryMode  # noqa: N815
    blacklistedData: BlacklistedData | None = None  # noqa: N815


class SubscriptionList(ApiModel):
    """The subscriptions of the caller's user and application."""

    uri: str = Field(json_schema_extra={"format": "uri"})
    records: list[SubscriptionInfo] = Field(max_length=MAX_SUBSCRIPTIONS)


def subscription_routes(
    *,
    subscriptions: Subscriptions,
    sockets: SocketSubscriptions | None = None,
    authenticator: Authenticator,
    public_url: PublicUrl,
    clock: Clock,
) -> list[APIRouter]:
    """`/restapi/v1.0/subscription…` and `/webinar/notifications/v1/subscriptions…`.

    Args:
        sockets: for requests that come over a socket.
    """
    return [_routes_of(api, subscriptions, sockets, authenticator, public_url, clock) for api in SubscriptionApi]


def _routes_of(  # noqa: PLR0917 - one caller
    api: SubscriptionApi,
    subscriptions: Subscriptions,
    sockets: SocketSubscriptions | None,
    authenticator: Authenticator,
    public_url: PublicUrl,
    clock: Clock,
) -> APIRouter:
    path = COLLECTION_PATH[api]
    light = Depends(authenticator.caller(RateGroup.LIGHT))
    medium = Depends(authenticator.caller(RateGroup.MEDIUM))
    router = api_router(
        tag=_TAGS[api],
        responses=CALLED_WITH_TOKEN | documented(503),
        named=lambda name: (
            name if api is SubscriptionApi.GENERAL else name.replace("subscription", "webinar_subscription")
        ),
    )

    def answer(request: Request, subscription: Subscription, status: int = 200) -> JSONResponse:
        resource = subscription_resource(subscription, public_url.base(request), clock.now())
        return JSONResponse(resource, status_code=status)

    @router.post(
        path,
        status_code=_CREATED[api],
        response_model=SubscriptionInfo,
        response_model_exclude_none=True,
        responses=documented(413, 415),
        summary="Subscribe to events",
    )
    async def create_subscription(
        request: Request, body: SubscriptionRequest = Body(openapi_examples=_example(api)), caller: Caller = medium
    ) -> Response:
        """The address is asked first: it has to echo the `Validation-Token` header within 3 s, with status 200."""
        link = socket_link_of(request.scope)
        if link is not None and sockets is not None and _wants_socket(api, body):
            subscription = await sockets.create(link, caller, body.eventFilters)
        else:
            subscription = await subscriptions.create(caller, api, _webhook_request(body))
        return answer(request, subscription, _CREATED[api])

    @router.get(
        path,
        response_model=SubscriptionList,
        response_model_exclude_none=True,
        summary="List the subscriptions of this user and application",
    )
    async def list_subscriptions(request: Request, caller: Caller = light) -> Response:
        base, now = public_url.base(request), clock.now()
        records = [subscription_resource(each, base, now) for each in subscriptions.list(caller, api)]
        return JSONResponse({"uri": base + path, "records": records})

    @router.get(
        path + "/{subscriptionId}",
        response_model=SubscriptionInfo,
        response_model_exclude_none=True,
        summary="Read a subscription",
    )
    async def read_subscription(request: Request, subscriptionId: str, caller: Caller = light) -> Response:  # noqa: N803
        return answer(request, await subscriptions.get(caller, api, SubscriptionId(subscriptionId)))

    @router.put(
        path + "/{subscriptionId}",
        response_model=SubscriptionInfo,
        response_model_exclude_none=True,
        responses=documented(405, 413, 415),
        summary="Replace the event filters of a subscription, and renew it",
    )
    async def update_subscription(
        request: Request,
        subscriptionId: str,  # noqa: N803
        body: SubscriptionUpdate | None = Depends(optional_json(SubscriptionUpdate)),
        caller: Caller = medium,
    ) -> Response:
        """An empty body renews. Without `expiresIn` the lifetime becomes the default one, whatever it was before."""
        wanted = body or SubscriptionUpdate()
        id_ = SubscriptionId(subscriptionId)
        link = socket_link_of(request.scope)
        present = await subscriptions.get(caller, api, id_)
        if link is not None and sockets is not None and present.transport is TransportType.WEB_SOCKET:
            subscription = await sockets.update(link, caller, id_, wanted.eventFilters)
        else:
            subscription = await subscriptions.update(
                caller, api, id_, filters=wanted.eventFilters, expires_in=wanted.expiresIn
            )
        return answer(request, subscription)

    @router.post(
        path + "/{subscriptionId}/renew",
        response_model=SubscriptionInfo,
        response_model_exclude_none=True,
        summary="Renew a subscription for the default lifetime",
    )
    async def renew_subscription(request: Request, subscriptionId: str, caller: Caller = light) -> Response:  # noqa: N803
        return answer(request, await subscriptions.renew(caller, api, SubscriptionId(subscriptionId)))

    @router.delete(path + "/{subscriptionId}", status_code=204, summary="End a subscription")
    async def delete_subscription(subscriptionId: str, caller: Caller = medium) -> Response:  # noqa: N803
        await subscriptions.delete(caller, api, SubscriptionId(subscriptionId))
        return Response(status_code=204)

    return router


def _example(api: SubscriptionApi) -> dict[str, Example]:
    mode = {"transportType": "WebHook", "address": "https://example.com/hook"}
    return {"webhook": {"value": {"eventFilters": [_EXAMPLE_FILTER[api]], "deliveryMode": mode, "expiresIn": 86400}}}


def _wants_socket(api: SubscriptionApi, body: SubscriptionRequest) -> bool:
    return api is SubscriptionApi.GENERAL and body.deliveryMode.transportType == "WebSocket"


def _webhook_request(body: SubscriptionRequest) -> WebhookRequest:
    mode = body.deliveryMode
    if mode.transportType == "WebSocket":
        raise _bad_mode("transportType", "a WebSocket subscription is created over the socket, not over HTTP")
    if mode.transportType != "WebHook":
        raise _bad_mode("transportType", "it must be WebHook", mode.transportType)
    if not mode.address:
        raise _bad_mode("address", "it is required with the transport type WebHook")
    return WebhookRequest(
        filters=body.eventFilters,
        address=mode.address,
        verification_token=mode.verificationToken or mode.validationToken or None,
        signing_secret=mode.signingSecret,
        expires_in=body.expiresIn,
    )


def _bad_mode(name: str, reason: str, value: str | None = None) -> InvalidRequest:
    parameter = f"deliveryMode.{name}"
    return InvalidRequest(
        "CMN-101", f"Parameter [{parameter}] value is invalid: {reason}", parameter=parameter, value=value
    )
