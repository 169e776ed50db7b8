"""Lists of favorites. Presence of the favorites themselves is in `presence.py`."""

from __future__ import annotations

from bellwire.families.body import ABSENT, Body, Id
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_extension
from bellwire.model.permission import Permission, UserPermission


class ExtensionFavoritesBody(Body):
    """Whose favorites changed; the list itself is read from the extension."""

    extension_id: Id
    owner_id: str = ABSENT


FAMILY = EventFamily(
    name="extension_favorites",
    title="Extension favorites",
    description="The favorites list of the extension changes.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}/favorite",
            permission=Permission.READ_CONTACTS,
            others_permission=UserPermission.READ_EXTENSIONS,
            others_error="CMN-404",
        ),
    ),
    body=ExtensionFavoritesBody,
    ordering_key=by_extension,
    sample={"extensionId": "200001"},
)
