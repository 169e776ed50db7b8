"""All that clients read of High Volume SMS, and what they may say about consents."""

from __future__ import annotations

from fastapi import APIRouter

from bellwire.api.a2p_batch_reading import a2p_batch_reading_routes
from bellwire.api.a2p_messages import a2p_message_routes
from bellwire.api.a2p_opt_outs import a2p_opt_out_routes
from bellwire.api.a2p_parameters import PREFIX as A2P_PREFIX
from bellwire.api.a2p_parameters import permitted
from bellwire.api.authentication import Authenticator
from bellwire.api.rate_limits import RateGroup
from bellwire.api.sms_consents import PREFIX as CONSENTS_PREFIX
from bellwire.api.sms_consents import sms_consent_routes
from bellwire.engine.assign_consents import ConsentAssignment
from bellwire.engine.consent_lists import ConsentLists
from bellwire.engine.sms_lists import SmsLists
from bellwire.model.permission import Permission

PREFIXES = (A2P_PREFIX, CONSENTS_PREFIX)
"""What the paths of all routes begin with."""


def a2p_reading_routes(
    *, lists: SmsLists, consent_lists: ConsentLists, assignment: ConsentAssignment, authenticator: Authenticator
) -> list[APIRouter]:
    """Batches, messages, statuses; opt-outs and consents, which are one store (wire contract, 6)."""
    light = authenticator.caller(RateGroup.LIGHT)
    high_volume = permitted(light, Permission.A2P_SMS)
    return [
        a2p_batch_reading_routes(lists=lists, caller=high_volume),
        a2p_message_routes(lists=lists, caller=high_volume),
        a2p_opt_out_routes(lists=consent_lists, assignment=assignment, caller=high_volume),
        sms_consent_routes(lists=consent_lists, assignment=assignment, caller=permitted(light, Permission.SMS)),
    ]
