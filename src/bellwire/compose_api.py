"""The API of a server, put together: every route over the parts that answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from bellwire import __version__
from bellwire.api import a2p_batches as a2p_batches_api
from bellwire.api import publish as publish_api
from bellwire.api.admin import admin_routes
from bellwire.api.admin_router import PREFIX as ADMIN_PREFIX
from bellwire.api.app import build_app
from bellwire.api.conventions import Conventions
from bellwire.api.dev import DevControls, RefusedTokens, dev_routes
from bellwire.api.directory import directory_routes
from bellwire.api.discovery import discovery_routes
from bellwire.api.event_families import family_routes, family_webhooks
from bellwire.api.explain import explain_routes
from bellwire.api.health import health_routes
from bellwire.api.history import PATHS as HISTORY_PATHS
from bellwire.api.history import history_routes
from bellwire.api.oauth import oauth_routes
from bellwire.api.publish import PublishLimits, publish_route
from bellwire.api.publish_document import publish_description
from bellwire.api.rate_limits import RateGroup
from bellwire.api.root import root_routes
from bellwire.api.routing import LaterRoutes
from bellwire.api.socket_tokens import socket_token_routes
from bellwire.api.subscriptions import subscription_routes
from bellwire.api.unsupported import PREFIXES as UNSUPPORTED_PREFIXES
from bellwire.api.unsupported import unsupported_routes
from bellwire.compose_access import AccessParts
from bellwire.compose_delivery import DeliveryParts
from bellwire.compose_gateway import GatewayParts
from bellwire.compose_sms import SmsService
from bellwire.console.gate import PREFIX as CONSOLE_PREFIX
from bellwire.console.gate import ConsoleGate
from bellwire.engine.publish import Submissions
from bellwire.engine.subscribe import Subscriptions
from bellwire.families import REGISTRY
from bellwire.model.directory import Status
from bellwire.model.ids import AccountId
from bellwire.observe.metrics import Metrics
from bellwire.observe.publishing import PublishWatch
from bellwire.observe.system_clock import SystemClock
from bellwire.running import RunningEngine
from bellwire.settings import LogLevel, Settings
from bellwire.storage.records import RecordsStores


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """What routes are made over."""

    settings: Settings
    clock: SystemClock
    stores: RecordsStores
    metrics: Metrics
    engine: RunningEngine
    delivery: DeliveryParts
    access: AccessParts
    subscriptions: Subscriptions
    gateway: GatewayParts
    sms: SmsService
    controls: DevControls | None
    console: ConsoleGate | None


def compose_api(parts: ApiParts) -> FastAPI:
    settings, cors = parts.settings, parts.settings.cors_origins
    before: list[BaseRoute] = []
    if parts.controls is not None:
        before.append(RefusedTokens(parts.controls.faults))
    if parts.console is not None:
        before.append(parts.console)
    return build_app(
        routers=_routers(parts),
        plain_routes=[*before, _publish_route(parts)],
        plain_descriptions=[publish_description()],
        webhooks=lambda: family_webhooks(REGISTRY.families),
        public_url=settings.public_url,
        conventions=Conventions(
            cors_origins="*" if "*" in cors else cors,
            pages=(CONSOLE_PREFIX,),
            body_limit_bytes=settings.max_request_bytes,
            body_limits={
                publish_api.PATH: None,
                a2p_batches_api.BODY_PATH: a2p_batches_api.MAX_BODY_BYTES,
            },
        ),
        version=__version__,
    )


def _routers(parts: ApiParts) -> list[APIRouter | LaterRoutes]:
    """Those that are seldom asked for are made when they first are."""
    delivery, access, engine = parts.delivery, parts.access, parts.engine
    authenticator, public_url, directory = access.authenticator, access.public_url, parts.stores.directory
    return [
        *([] if parts.controls is None else [dev_routes(parts.controls)]),
        oauth_routes(authorization=access.authorization, authenticator=authenticator, public_url=public_url),
        socket_token_routes(tokens=parts.gateway.tokens, authenticator=authenticator, public_url=public_url),
        discovery_routes(authenticator=authenticator, public_url=public_url),
        root_routes(public_url=public_url, version=__version__),
        directory_routes(directory=directory, authenticator=authenticator, public_url=public_url),
        *subscription_routes(
            subscriptions=parts.subscriptions,
            sockets=parts.gateway.subscriptions,
            authenticator=authenticator,
            public_url=public_url,
            clock=parts.clock,
        ),
        family_routes(),
        explain_routes(
            directory=directory,
            asking=authenticator.caller_or_publisher(RateGroup.LIGHT),
            max_event_bytes=parts.settings.max_event_bytes,
        ),
        health_routes(version=__version__, readiness=engine.readiness, render_metrics=parts.metrics.render),
        LaterRoutes((ADMIN_PREFIX,), lambda: admin_routes(provisioning=access.provisioning, admin=authenticator.admin)),
        LaterRoutes(
            HISTORY_PATHS,
            lambda: history_routes(
                lookback=delivery.lookback,
                operations=delivery.operations,
                replays=delivery.replays,
                deliveries=delivery.deliveries,
                admin=authenticator.admin,
            ),
        ),
        *parts.sms.routers,
        LaterRoutes(UNSUPPORTED_PREFIXES, lambda: [unsupported_routes()]),
    ]


def _publish_route(parts: ApiParts) -> BaseRoute:
    settings, publisher = parts.settings, parts.delivery.publisher
    return publish_route(
        authenticate=parts.access.authenticator.publisher,
        submissions=Submissions(
            clock=parts.clock, max_event_bytes=settings.max_event_bytes, status_of=_status_of(parts.stores)
        ),
        publisher=publisher,
        limits=PublishLimits(event_bytes=settings.max_event_bytes, stream_bytes=settings.max_publish_bytes),
        watch=PublishWatch(parts.metrics, parts.clock, publisher.counts, debug=settings.log_level is LogLevel.DEBUG),
        traces=parts.engine.traces,
        stopping=parts.engine.stopping,
    )


def _status_of(stores: RecordsStores) -> Callable[[AccountId], Status | None]:
    def status_of(account: AccountId) -> Status | None:
        return None if (known := stores.directory.account(account)) is None else known.status

    return status_of
