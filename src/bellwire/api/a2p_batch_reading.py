"""Batches of High Volume SMS as clients read them (wire contract, 6.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from bellwire.api.a2p_parameters import PREFIX, TAG, AskedPaging, DateFrom, DateTo, number_of
from bellwire.api.a2p_views import A2pBatchList, A2pBatchView, answer
from bellwire.api.authentication import own_account
from bellwire.api.problems import CALLED_WITH_TOKEN
from bellwire.api.routing import api_router
from bellwire.engine.sms_lists import SmsLists
from bellwire.model.identity import Caller
from bellwire.model.sms import BatchId, BatchStatus
from bellwire.model.sms_records import Batch
from bellwire.ports.sms_store import BatchQuery
from bellwire.sms.bodies import batch_body

_NAMED = {status.value for status in BatchStatus}


def a2p_batch_reading_routes(*, lists: SmsLists, caller: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """
    Args:
        caller: a dependency that gives the caller, whose application may use High Volume SMS.
    """
    router = api_router(PREFIX, tag=TAG, responses=CALLED_WITH_TOKEN)

    @router.get("/batches", response_model=A2pBatchList, summary="List batches")
    async def list_a2p_batches(
        *,
        known: Caller = Depends(caller),
        accountId: str,  # noqa: N803
        since: DateFrom = None,
        until: DateTo = None,
        sender: Annotated[str | None, Query(alias="from", description="From this number (E.164).")] = None,
        status: Annotated[
            list[Literal["Queued", "Processing", "Sent", "Completed"]] | None,
            Query(description="In one of these states; a batch is never Queued or Sent here."),
        ] = None,
        paging: AskedPaging,
    ) -> Response:
        """In the order in which they were accepted; of the last 24 hours unless dates are given."""
        account = own_account(known, accountId)
        asked = BatchQuery(
            since=since,
            until=until,
            sender=number_of(sender, "from") if sender else None,
            statuses=frozenset(BatchStatus(name) for name in status if name in _NAMED) if status else None,
        )
        page = await lists.batches(account, asked, token=paging.token, per_page=paging.per_page)
        return answer({"records": [_view(placed.record) for placed in page.records], "paging": page.paging()})

    @router.get("/batches/{batchId}", response_model=A2pBatchView, summary="Read a batch")
    async def read_a2p_batch(
        accountId: str,  # noqa: N803
        batchId: str,  # noqa: N803
        known: Caller = Depends(caller),
    ) -> Response:
        """Its state and how far it is. `rejected` is empty: only the answer that created it has those."""
        return answer(_view(await lists.batch(own_account(known, accountId), BatchId(batchId))))

    return router


def _view(batch: Batch) -> dict[str, Any]:
    return {**batch_body(batch), "rejected": []}
