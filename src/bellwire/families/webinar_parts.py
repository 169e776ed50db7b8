"""What the four webinar families share: the webinar that a body refers to, and how it is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Id
from bellwire.model.event import Rows

SessionStatus = Literal["Scheduled", "Active", "Finished"]
Change = Literal["Create", "Update", "Delete"]
Title = Annotated[str, Field(max_length=512)]
Description = Annotated[str, Field(max_length=4096)]
RcwId = Annotated[str, Field(min_length=1, max_length=20)]


class LinkedUser(Body):
    user_id: Annotated[str, Field(max_length=256)]
    account_id: Annotated[str, Field(max_length=256)]
    domain: Literal["pbx", "ilm"]


class Host(Body):
    linked_user: LinkedUser = ABSENT


class Webinar(Body):
    """The webinar that the session is of."""

    id: Id
    title: str = ABSENT
    host: Host = ABSENT


def webinar_rows(body: Mapping[str, Any]) -> Rows:
    """`webinarId` and `hostUserId` of the webinar that the body refers to."""
    webinar = body["webinar"]
    webinar_id = webinar.get("id")
    host = webinar.get("host")
    user = host.get("linkedUser") if host is not None else None
    return (
        {
            "hostUserId": (user["userId"],) if user is not None else (),
            "webinarId": (webinar_id,) if webinar_id is not None else (),
        },
    )
