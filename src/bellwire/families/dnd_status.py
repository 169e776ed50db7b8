"""Do-not-disturb status of an extension."""

from __future__ import annotations

from bellwire.families.body import Body, Id
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_extension
from bellwire.families.presence import DndStatus
from bellwire.model.permission import Permission, UserPermission


class DndStatusBody(Body):
    """The status after the change."""

    extension_id: Id
    dnd_status: DndStatus


FAMILY = EventFamily(
    name="dnd_status",
    title="Do not disturb",
    description="Do-not-disturb status of the extension changes.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/presence/dnd",
            permission=Permission.READ_ACCOUNTS,
            others_permission=UserPermission.READ_PRESENCE_STATUS,
            others_error="SUB-403",
        ),
    ),
    body=DndStatusBody,
    ordering_key=by_extension,
    sample={"extensionId": "200001", "dndStatus": "DoNotAcceptAnyCalls"},
)
