"""What a server's uvicorn is configured with: one listener for requests and WebSockets."""

from __future__ import annotations

from starlette.types import ASGIApp

from bellwire.api.http_protocol import HttpProtocol
from bellwire.gateway.protocol import GatewayProtocol, hide_tokens_in_logs
from bellwire.settings import Settings
from bellwire.transports.listener import ListenerConfig

KEEP_ALIVE_SECONDS = 75
"""Longer than common clients keep an idle connection, so that they close it, and no request meets a closing one."""


def listener_config(app: ASGIApp, settings: Settings, *, http: type[HttpProtocol] = HttpProtocol) -> ListenerConfig:
    hide_tokens_in_logs()
    return ListenerConfig(
        app,
        http=http,
        ws=GatewayProtocol,
        ws_max_size=settings.websocket_max_frame_bytes,
        ws_ping_interval=None,  # the gateway sends its own
        ws_per_message_deflate=settings.websocket_compression,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
