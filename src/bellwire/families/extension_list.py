"""The extensions of an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from bellwire.families.body import ABSENT, Body, EitherBody, Id
from bellwire.families.declaration import EventFamily, PathValues, Template
from bellwire.model.permission import Permission, UserPermission


class ExtensionChange(Body):
    """Which extension is new, changed or gone."""

    extension_id: Id
    event_type: Literal["Create", "Update", "Delete"]
    owner_id: str = ABSENT
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
        ]
    ] = Field(ABSENT, description="Only with eventType Update.")

    @model_validator(mode="after")
    def _hints_belong_to_updates(self) -> ExtensionChange:
        if self.event_type != "Update" and "hints" in self.model_fields_set:
            raise ValueError("hints are only given with eventType Update")
        return self


class SeveralExtensions(Body):
    extensions: Annotated[list[ExtensionChange], Field(min_length=1)]


def _shape(body: Any) -> str:
    return "several" if isinstance(body, dict) and "extensions" in body and "extensionId" not in body else "one"


class ExtensionListBody(EitherBody):
    """One extension, or several in `extensions` as an older sample has it."""

    root: Annotated[
        Annotated[ExtensionChange, Tag("one")] | Annotated[SeveralExtensions, Tag("several")],
        Discriminator(_shape),
    ]


def _extension(values: PathValues, body: Mapping[str, Any]) -> str:
    """The extension; of several, all of the account's."""
    return body.get("extensionId") or values.get("accountId", "")


FAMILY = EventFamily(
    name="extension_list",
    title="Extension list",
    description="An extension of the account is created, changed or deleted.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/extension",
            permission=Permission.READ_ACCOUNTS,
            others_permission=UserPermission.READ_EXTENSIONS,
            others_error="CMN-408",
        ),
    ),
    body=ExtensionListBody,
    ordering_key=_extension,
    sample={"extensionId": "200002", "eventType": "Create"},
)
