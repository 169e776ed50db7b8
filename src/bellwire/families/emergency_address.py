"""Emergency addresses of devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bellwire.families.body import ABSENT, Body, Id
from bellwire.families.declaration import EventFamily, PathValues, Template
from bellwire.model.permission import Permission, UserPermission


class EmergencyAddressBody(Body):
    """Whose address changed; the address itself is read from the device."""

    extension_id: str = ABSENT
    device_id: Id


def _device(_values: PathValues, body: Mapping[str, Any]) -> str:
    return str(body.get("deviceId", ""))


FAMILY = EventFamily(
    name="emergency_address",
    title="Emergency address",
    description="The emergency address of the device changes.",
    templates=(
        Template(
            path="/restapi/v1.0/account/{accountId}/device/{deviceId}/emergency-address",
            permission=Permission.READ_ACCOUNTS,
            others_permission=UserPermission.READ_COMPANY_DEVICES,
            others_error="CMN-408",
        ),
    ),
    body=EmergencyAddressBody,
    ordering_key=_device,
    sample={"extensionId": "200001", "deviceId": "800001"},
)
