"""`POST /restapi/oauth/wstoken`: a token to open a WebSocket with (wire contract, 5.1)."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from bellwire.api.authentication import Authenticator, require_scope
from bellwire.api.model import ApiModel
from bellwire.api.problems import documented
from bellwire.api.public_url import PublicUrl
from bellwire.api.rate_limits import RateGroup
from bellwire.api.routing import api_router
from bellwire.engine.socket_tokens import ADVERTISED_SECONDS, SocketTokens
from bellwire.model.identity import Caller
from bellwire.model.permission import Permission

GATEWAY_PATH = "/ws"


class SocketToken(ApiModel):
    """A socket token, and where to show it: `{uri}?access_token={ws_access_token}`."""

    uri: str = Field(json_schema_extra={"format": "uri"})
    ws_access_token: str
    expires_in: int


def socket_token_routes(*, tokens: SocketTokens, authenticator: Authenticator, public_url: PublicUrl) -> APIRouter:
    router = api_router(tag="OAuth")

    @router.post(
        "/restapi/oauth/wstoken",
        response_model=SocketToken,
        responses=documented(401, 403, 429),
        summary="Get a token for the WebSocket gateway",
    )
    async def get_socket_token(
        request: Request, caller: Caller = Depends(authenticator.caller(RateGroup.SOCKET_TOKEN))
    ) -> Response:
        """It may be used more than once while it lives; what is opened with it belongs to the same OAuth session."""
        require_scope(caller, Permission.WEB_SOCKET, Permission.WEB_SOCKETS_SUBSCRIPTION)
        base = public_url.base(request)
        return JSONResponse(
            {
                "uri": "ws" + base.removeprefix("http") + GATEWAY_PATH,
                "ws_access_token": tokens.issue(caller),
                "expires_in": ADVERTISED_SECONDS,
            },
            headers={"Cache-Control": "no-store", "Pragma": "no-cache"},
        )

    return router
