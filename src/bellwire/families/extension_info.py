"""Settings of one extension."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bellwire.families.body import ABSENT, Body, Id
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_extension
from bellwire.model.permission import Permission, UserPermission


class ExtensionInfoBody(Body):
    """Which extension changed, with hints at what to read again."""

    extension_id: Id
    event_type: Literal["Update", "Delete"]
    hints: list[
        Literal[
            "AccountSettings",
            "AccountStatus",
            "AnsweringRules",
            "CompanyNumbers",
            "DialingPlan",
            "ExtensionInfo",
            "Features",
            "Limits",
            "Permissions",
            "ProfileImage",
            "VideoConfiguration",
            "CallQueueMembersChange",
        ]
    ] = Field(ABSENT, description="Only with eventType Update.")
    owner_id: str = ABSENT

    @model_validator(mode="after")
    def _hints_belong_to_updates(self) -> ExtensionInfoBody:
        if self.event_type != "Update" and "hints" in self.model_fields_set:
            raise ValueError("hints are only given with eventType Update")
        return self


FAMILY = EventFamily(
    name="extension_info",
    title="Extension info",
    description="Settings, status, numbers or features of the extension change, or it is deleted.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension/{extensionId}",
            permission=Permission.READ_ACCOUNTS,
            others_permission=UserPermission.READ_EXTENSIONS,
            others_error="CMN-404",
        ),
    ),
    body=ExtensionInfoBody,
    ordering_key=by_extension,
    sample={"extensionId": "200001", "eventType": "Update", "hints": ["ExtensionInfo"]},
)
