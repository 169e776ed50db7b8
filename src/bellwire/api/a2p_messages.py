"""Messages of High Volume SMS as clients read them, and how many there are in each status (wire contract, 6.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from bellwire.api.a2p_parameters import PREFIX, TAG, AskedMessages, AskedPaging
from bellwire.api.a2p_views import A2pMessageList, A2pMessageView, A2pStatuses, answer
from bellwire.api.authentication import own_account
from bellwire.api.problems import CALLED_WITH_TOKEN
from bellwire.api.routing import api_router
from bellwire.engine.sms_lists import MessageQuestion, SmsLists
from bellwire.model.identity import Caller
from bellwire.model.sms import MessageId, MessageStatus
from bellwire.ports.sms_store import StatusCount
from bellwire.sms.bodies import message_body, wire_cost

_NAMES = {
    MessageStatus.QUEUED: "queued",
    MessageStatus.SENT: "sent",
    MessageStatus.DELIVERED: "delivered",
    MessageStatus.SENDING_FAILED: "sendingFailed",
    MessageStatus.DELIVERY_FAILED: "deliveryFailed",
}
_FAILURES = frozenset({MessageStatus.SENDING_FAILED, MessageStatus.DELIVERY_FAILED})


def a2p_message_routes(*, lists: SmsLists, caller: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """
    Args:
        caller: a dependency that gives the caller, whose application may use High Volume SMS.
    """
    router = api_router(PREFIX, tag=TAG, responses=CALLED_WITH_TOKEN)

    @router.get("/messages", response_model=A2pMessageList, summary="List messages")
    async def list_a2p_messages(
        *,
        known: Caller = Depends(caller),
        accountId: str,  # noqa: N803
        asked: AskedMessages,
        view: Annotated[
            Literal["Simple", "Detailed"] | None, Query(description="Detailed is with text; Simple by default.")
        ] = None,
        paging: AskedPaging,
    ) -> Response:
        """In the order in which they were accepted or came; of the last 24 hours unless a batch or dates are given."""
        account = own_account(known, accountId)
        question = MessageQuestion(asked, None if view is None else view == "Detailed")
        page = await lists.messages(account, question, token=paging.token, per_page=paging.per_page)
        return answer({"records": [message_body(placed.record) for placed in page.records], "paging": page.paging()})

    @router.get("/messages/{messageId}", response_model=A2pMessageView, summary="Read a message")
    async def read_a2p_message(
        accountId: str,  # noqa: N803
        messageId: str,  # noqa: N803
        known: Caller = Depends(caller),
    ) -> Response:
        """With its text."""
        return answer(message_body(await lists.message(own_account(known, accountId), MessageId(messageId))))

    @router.get("/statuses", response_model=A2pStatuses, summary="Count messages by status")
    async def count_a2p_statuses(
        *,
        known: Caller = Depends(caller),
        accountId: str,  # noqa: N803
        asked: AskedMessages,
    ) -> Response:
        """All five statuses, zeros too; of the last 24 hours unless a batch or dates are given."""
        counts = await lists.statuses(own_account(known, accountId), asked)
        return answer({name: _count(status, counts[status]) for status, name in _NAMES.items()})

    return router


def _count(status: MessageStatus, counted: StatusCount) -> dict[str, Any]:
    count: dict[str, Any] = {"count": counted.count, "cost": wire_cost(counted.cost_micros)}
    if status in _FAILURES:
        count["errorCodeCounts"] = dict(sorted(counted.error_codes.items()))
    return count
