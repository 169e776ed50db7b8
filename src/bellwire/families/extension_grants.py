"""What an extension may do on behalf of others."""

from __future__ import annotations

from bellwire.families.body import ABSENT, Body, Id
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_extension
from bellwire.model.permission import Permission, UserPermission


class ExtensionGrantsBody(Body):
    """Whose grants changed; they are read from the extension."""

    extension_id: Id
    owner_id: str = ABSENT


FAMILY = EventFamily(
    name="extension_grants",
    title="Extension grants",
    description="The grants of the extension change.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/grant",
            permission=Permission.READ_ACCOUNTS,
            others_permission=UserPermission.READ_EXTENSIONS,
            others_error="CMN-404",
        ),
    ),
    body=ExtensionGrantsBody,
    ordering_key=by_extension,
    sample={"extensionId": "200001"},
)
