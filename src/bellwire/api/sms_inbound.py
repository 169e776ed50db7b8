"""`POST /bellwire/v1/sms/inbound`: a text to one of our numbers, as if a carrier had brought it; in development."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field

from bellwire.api.model import ApiModel, RequestBody
from bellwire.api.problems import documented
from bellwire.api.routing import api_router
from bellwire.engine.receive_sms import Receiving
from bellwire.errors import Forbidden, InvalidRequest
from bellwire.model.identity import ApiKey
from bellwire.model.sms import InboundText
from bellwire.ports.clock import Clock
from bellwire.sms.batch_request import MAX_TEXT_LENGTH, bad
from bellwire.sms.numbers import is_e164

PATH = "/bellwire/v1/sms/inbound"


class InboundSms(RequestBody):
    """A text from a recipient."""

    model_config = ConfigDict(extra="forbid")

    from_: str = Field(alias="from", description="Who texts, in E.164")
    to: str = Field(description="A number of an account with the feature `A2PSmsSender`, in E.164")
    text: str = Field(min_length=1, max_length=MAX_TEXT_LENGTH, description="A keyword such as STOP, or anything else")


class StoredSms(ApiModel):
    """The message that it became."""

    id: str


def sms_inbound_routes(*, receiving: Receiving, publisher: Callable[..., Awaitable[ApiKey]], clock: Clock) -> APIRouter:
    router = api_router(tag="Development", responses=documented(400, 401, 403, 503))
    publisher_key = Depends(publisher)

    @router.post(PATH, summary="Receive a text", status_code=201)
    async def receive(body: InboundSms, key: ApiKey = publisher_key) -> StoredSms:
        """Durable, with all that comes of it, when it is answered: the message, its event, and, for a keyword, the
        consent and the opt-out event."""
        for name, number in (("from", body.from_), ("to", body.to)):
            if not is_e164(number):
                raise bad(name, "a phone number in E.164 form is expected, such as +16505550100", number)
        addressee = receiving.addressee(body.to)
        if addressee is None:
            raise bad("to", "no account has this number with the feature A2PSmsSender", body.to)
        if key.account_id is not None and key.account_id != addressee.account_id:
            raise Forbidden("CMN-401", f"The publisher key is for account {key.account_id} alone", parameter="to")
        stored = await receiving.take(
            [InboundText(sender=body.from_, recipient=body.to, text=body.text, received_at=clock.now())]
        )
        if not stored:
            raise InvalidRequest("CMN-102", "The number was removed meanwhile", parameter="to")
        return StoredSms(id=stored[0])

    return router
