"""Recipients of High Volume SMS who opt out, or in again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from bellwire.families.body import Body, PhoneNumber
from bellwire.families.declaration import EventFamily, PathValues, Template
from bellwire.families.parameters import FROM, TO
from bellwire.model.event import Rows
from bellwire.model.permission import Permission, UserPermission


class OptOutBody(Body):
    """The pair of numbers, named as in a message that the account would send: the reverse of the keyword's message."""

    from_: PhoneNumber = Field(alias="from", description="The account's number.")
    to: PhoneNumber = Field(description="The recipient who opted out or in.")
    active: bool = Field(description="True: opted out. False: opted in again.")


def _rows(body: Mapping[str, Any]) -> Rows:
    return ({"from": (body["from"],), "to": (body["to"],)},)


def _pair(_values: PathValues, body: Mapping[str, Any]) -> str:
    return f"{body.get('from', '')} {body.get('to', '')}"


FAMILY = EventFamily(
    name="a2p_opt_out",
    title="High Volume SMS opt-out",
    description="A recipient texts an opt-out or opt-in keyword to a number of the account.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/a2p-sms/opt-outs",
            permission=Permission.READ_ACCOUNTS,
            parameters=(
                replace(FROM, description="Only opt-outs from this number of the account."),
                replace(TO, description="Only opt-outs of this recipient."),
            ),
            others_permission=UserPermission.READ_COMPANY_MESSAGES,
            others_error="CMN-408",
        ),
    ),
    body=OptOutBody,
    rows=_rows,
    ordering_key=_pair,
    sample={"from": "+12025550143", "to": "+12025550188", "active": True},
)
