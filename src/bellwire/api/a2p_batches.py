"""`POST /restapi/v1.0/account/{accountId}/a2p-sms/batches`: read as it comes (wire contract, 6.1)."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bellwire.api.a2p_parameters import PREFIX, TAG, permitted
from bellwire.api.a2p_views import A2pBatchView
from bellwire.api.authentication import Authenticator, own_account
from bellwire.api.problems import CALLED_WITH_TOKEN, documented
from bellwire.api.rate_limits import RateGroup
from bellwire.api.routing import api_router
from bellwire.engine.accept_batch import Accepted, BatchAcceptance
from bellwire.errors import UnsupportedMedia
from bellwire.model.identity import Caller
from bellwire.model.permission import Permission
from bellwire.sms.bodies import batch_body

BODY_PATH = re.compile(r"/restapi/v1\.0/account/[^/]+/a2p-sms/batches/?")
MAX_BODY_BYTES = 50 << 20

_REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["from", "messages"],
    "properties": {
        "from": {
            "type": "string",
            "description": "A number of the account with the feature `A2PSmsSender`, in E.164",
        },
        "text": {"type": "string", "maxLength": 1000, "description": "For messages that have none of their own"},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["to"],
                "properties": {
                    "to": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 1,
                        "items": {"type": "string"},
                        "description": "One number of the United States or Canada",
                    },
                    "text": {"type": "string", "maxLength": 1000},
                },
            },
        },
    },
}


def a2p_batch_routes(*, acceptance: BatchAcceptance, authenticator: Authenticator) -> APIRouter:
    router = api_router(PREFIX, tag=TAG, responses=CALLED_WITH_TOKEN | documented(413, 415, 503))
    allowed = Depends(permitted(authenticator.caller(RateGroup.LIGHT), Permission.A2P_SMS))

    @router.post(
        "/batches",
        summary="Send a batch of messages",
        status_code=201,
        response_model=A2pBatchView,
        response_description="Accepted, and durable; what follows is told by events and reads",
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _REQUEST}}}},
    )
    async def create_batch(request: Request, accountId: str, caller: Caller = allowed) -> Response:  # noqa: N803 - the path's name
        """Up to 50 MB of recipients. A recipient who can't be texted is listed in `rejected`; all others become
        messages. Nothing is accepted of a request with anything else wrong."""
        account = own_account(caller, accountId)
        media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media != "application/json":
            raise UnsupportedMedia("CMN-104", "The body's Content-Type has to be application/json")
        accepted = await acceptance.accept(account, request.stream())
        return Response(_answer(accepted), status_code=201, media_type="application/json")

    return router


def _answer(accepted: Accepted) -> bytes:
    """The batch with its rejected entries, which are encoded already."""
    batch = msgspec.json.encode(batch_body(accepted.batch))
    return b"%b,%b:[%b]}" % (batch[:-1], b'"rejected"', b",".join(accepted.rejected))
