"""The lines that an extension monitors."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bellwire.families.body import Body, Id
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_path_extension
from bellwire.model.permission import Permission, UserPermission


class MonitoredExtension(Body):
    id: Id


class PresenceLineBody(Body):
    """What is monitored now: a list, or one extension by itself as an older description has it."""

    extension: Annotated[list[MonitoredExtension], Field(min_length=1)] | MonitoredExtension
    sequence: int


FAMILY = EventFamily(
    name="presence_line",
    title="Monitored lines",
    description="The set or state of lines monitored by the extension changes.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/presence/line",
            permission=Permission.READ_PRESENCE,
            others_permission=UserPermission.READ_PRESENCE_STATUS,
            others_error="SUB-403",
        ),
    ),
    body=PresenceLineBody,
    ordering_key=by_path_extension,
    sample={"extension": [{"id": "200002"}, {"id": "200003"}], "sequence": 12},
)
