"""What High Volume SMS answers look like: for the OpenAPI document. Answers are encoded without these models."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from fastapi.responses import Response
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from bellwire.api.model import ApiModel

MessageStatusName = Literal["Queued", "Sent", "Delivered", "SendingFailed", "DeliveryFailed"]

# A default that is made by a call is not shown in the document, which is right for what may be absent.
_NO_TEXT: str = Field(default_factory=str)

_encode = msgspec.json.Encoder().encode


class _Wire(ApiModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class TokenPaging(_Wire):
    """Tokens of the pages around this one; absent where there is no such page."""

    per_page: int = Field(ge=1, le=1000)
    page_token: str
    first_page_token: str
    previous_page_token: str = _NO_TEXT
    next_page_token: str = _NO_TEXT


class A2pRejection(_Wire):
    """An entry of a batch that was not accepted; only the answer that creates the batch has these."""

    index: int = Field(ge=1, description="Its place in the request, from 1.")
    to: list[str]
    error_code: str
    description: str


class A2pBatchView(_Wire):
    """A batch, with how far it is."""

    id: str
    from_: str = Field(alias="from")
    batch_size: int = Field(ge=0, description="Messages accepted.")
    processed_count: int = Field(ge=0)
    creation_time: str = Field(json_schema_extra={"format": "date-time"})
    last_modified_time: str = Field(json_schema_extra={"format": "date-time"})
    status: Literal["Processing", "Completed"]
    cost: float = Field(default_factory=float, description="Of all messages; there once the batch is completed.")
    rejected: list[A2pRejection]


class A2pBatchList(_Wire):
    records: list[A2pBatchView]
    paging: TokenPaging


class A2pMessageView(_Wire):
    """A message as it now is; what is not known of it is left out."""

    id: str
    batch_id: str = Field(default_factory=str, description="Absent for inbound messages.")
    from_: str = Field(alias="from")
    to: list[str]
    text: str = Field(default_factory=str, description="In a list with `view=Detailed` only.")
    creation_time: str = Field(json_schema_extra={"format": "date-time"})
    last_modified_time: str = Field(json_schema_extra={"format": "date-time"})
    message_status: MessageStatusName
    segment_count: int = Field(default_factory=int)
    cost: float = Field(default_factory=float)
    direction: Literal["Inbound", "Outbound"]
    error_code: str = Field(default_factory=str, description="Why it failed, such as SMS-CAR-413.")


class A2pMessageList(_Wire):
    records: list[A2pMessageView]
    paging: TokenPaging


class A2pStatusCount(_Wire):
    count: int = Field(ge=0)
    cost: float = Field(ge=0)


class A2pFailureCount(A2pStatusCount):
    error_code_counts: dict[str, int]


class A2pStatuses(_Wire):
    """Messages and their cost by status."""

    queued: A2pStatusCount
    sent: A2pStatusCount
    delivered: A2pStatusCount
    sending_failed: A2pFailureCount
    delivery_failed: A2pFailureCount


def answer(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON with its length (wire contract, 2.9)."""
    return Response(_encode(content), status_code=status, media_type="application/json", headers=headers)
