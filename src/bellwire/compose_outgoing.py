"""Composition of what goes out to others: webhooks, alerts to the operator, traces."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from bellwire import __version__
from bellwire.engine.operator_alerts import OperatorAlerts
from bellwire.errors import InvalidRequest, Misconfigured, Problem
from bellwire.observe.traces import Traces, open_traces
from bellwire.ports.clock import Clock
from bellwire.settings import Settings
from bellwire.transports.dial import verifying_tls_context
from bellwire.transports.guard import AddressGuard
from bellwire.transports.limits import SenderLimits
from bellwire.transports.resolver import DnsResolver
from bellwire.transports.webhook_client import WebhookClient
from bellwire.wire.webhook.address import parse_address

USER_AGENT = f"Bellwire-Webhook/{__version__}"


def open_traces_of(settings: Settings, opening: AsyncExitStack) -> Traces | None:
    if settings.otel_endpoint is None:
        return None
    traces = open_traces(
        settings.otel_endpoint,
        service=settings.otel_service,
        ratio=settings.otel_sample_percent / 100,
        version=__version__,
    )
    opening.push_async_callback(asyncio.to_thread, traces.close)
    return traces


async def open_sender(settings: Settings, clock: Clock, opening: AsyncExitStack) -> WebhookClient:
    resolver = DnsResolver(clock, name_servers=settings.dns_servers)
    opening.push_async_callback(resolver.close)
    sender = WebhookClient(
        resolver=resolver,
        guard=AddressGuard(
            allow_http=settings.webhook_allow_http,
            allow_private=settings.webhook_allow_private_networks,
            allowed_networks=settings.webhook_allowed_networks,
        ),
        clock=clock,
        limits=SenderLimits(
            max_connections=settings.webhook_connections,
            max_connections_per_origin=settings.webhook_connections_per_host,
        ),
        tls_context=partial(verifying_tls_context, settings.webhook_ca_file),
    )
    opening.push_async_callback(sender.close)
    return sender


def operator_alerts(settings: Settings, clock: Clock, sender: WebhookClient) -> OperatorAlerts:
    endpoint = None
    if settings.operator_webhook_url is not None:
        try:
            endpoint = parse_address(settings.operator_webhook_url, allow_http=settings.webhook_allow_http)
        except InvalidRequest as refused:
            raise Misconfigured((Problem("operator_webhook_url", refused.message),)) from refused
    return OperatorAlerts(sender=sender, endpoint=endpoint, clock=clock, user_agent=USER_AGENT)
