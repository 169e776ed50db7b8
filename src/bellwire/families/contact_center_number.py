"""Phone numbers that become, are, or stop being Contact Center numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from bellwire.families.body import ABSENT, Body, Id, PhoneNumber
from bellwire.families.declaration import EventFamily, PathValues, QueryParameter, Role, Template
from bellwire.model.permission import Permission, UserPermission


class ContactCenterProvider(Body):
    id: str = ABSENT
    name: str = ABSENT


class NumberInfo(Body):
    """The number as it is after the change; `usageType` may have left the Contact Center."""

    uri: str = ABSENT
    id: Id
    phone_number: PhoneNumber
    payment_type: str = ABSENT
    location: str = ABSENT
    type: Literal["VoiceFax", "VoiceOnly", "FaxOnly", "Voice", "Fax"] = ABSENT
    usage_type: str = ABSENT
    status: str = ABSENT
    contact_center_provider: ContactCenterProvider = ABSENT


class ContactCenterNumberBody(Body):
    """One number, and what happened to it."""

    event_type: Literal["Created", "Updated", "Deleted"]
    phone_number_info: NumberInfo


def _number(_values: PathValues, body: Mapping[str, Any]) -> str:
    return str(body.get("phoneNumberInfo", {}).get("id", ""))


FAMILY = EventFamily(
    name="contact_center_number",
    title="Contact Center number",
    description="A Contact Center number is created, deleted, or assigned to or away from that usage.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/phone-number",
            permission=Permission.READ_ACCOUNTS,
            parameters=(
                QueryParameter(
                    name="usageType",
                    role=Role.PREDICATE,
                    description="The usage that the number has, or had before.",
                    enum=("ContactCenterNumber",),
                    fixed="ContactCenterNumber",
                    required=True,
                    # A number that leaves the usage no longer shows it, and its event still belongs here.
                    is_compared=False,
                ),
            ),
            others_permission=UserPermission.READ_COMPANY_PHONE_NUMBERS,
            others_error="CMN-408",
        ),
    ),
    body=ContactCenterNumberBody,
    ordering_key=_number,
    sample={
        "eventType": "Created",
        "phoneNumberInfo": {
            "id": "900001",
            "phoneNumber": "+12025550160",
            "paymentType": "Local",
            "location": "Washington, DC",
            "type": "VoiceFax",
            "usageType": "ContactCenterNumber",
            "status": "Normal",
            "contactCenterProvider": {"id": "1", "name": "Example Care"},
        },
    },
)
