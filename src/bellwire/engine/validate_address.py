"""The handshake with a webhook address: asks, judges, says why not. Implements `ports.address_validation`."""

from __future__ import annotations

import secrets

import structlog

from bellwire.ports.webhook_sender import WebhookSender
from bellwire.wire.webhook import handshake
from bellwire.wire.webhook.address import parse_address
from bellwire.wire.webhook.handshake import HandshakeAccepted, HandshakeRefused

_log = structlog.get_logger("bellwire.subscriptions")


class AddressHandshake:
    """Calls the address on a fresh connection, within 3 seconds."""

    def __init__(self, *, sender: WebhookSender, user_agent: str, allow_http: bool, strict_content_type: bool) -> None:
        self._sender = sender
        self._user_agent = user_agent
        self._allow_http = allow_http
        self._strict_content_type = strict_content_type

    async def __call__(self, address: str, verification_token: str | None) -> None:
        endpoint = parse_address(address, allow_http=self._allow_http)
        expected = secrets.token_urlsafe(24)
        head = handshake.request(
            endpoint,
            user_agent=self._user_agent,
            validation_token=expected,
            verification_token=verification_token,
        )
        answer = await self._sender.ask(endpoint, head, b"", timeout_seconds=handshake.TIMEOUT_SECONDS)
        match handshake.judge(answer, expected, strict_content_type=self._strict_content_type):
            case HandshakeAccepted(warning):
                if warning:
                    _log.warning("handshake.accepted", endpoint_host=endpoint.host, warning=warning)
            case HandshakeRefused() as refused:
                _log.info("handshake.refused", endpoint_host=endpoint.host, code=refused.code, reason=refused.message)
                raise refused.error(address)
