"""The body of the two legacy call events, whose fields stand beside the envelope's."""

from __future__ import annotations

from pydantic import Field

from bellwire.families.body import ABSENT, Body, Id


class PushInfo(Body):
    content_available: int = Field(ABSENT, alias="content-available")


class PushWrapper(Body):
    aps: PushInfo = ABSENT


class CallAlert(Body):
    """A call that rings at an extension, or stopped to."""

    extension_id: Id
    action: str = Field(description="StartRing or StopRing.")
    session_id: Id
    server_id: str = ABSENT
    from_: str = Field(ABSENT, alias="from")
    from_name: str = ABSENT
    to: str = ABSENT
    to_name: str = ABSENT
    sid: str = ABSENT
    to_url: str = ABSENT
    srv_lvl: str = ABSENT
    srv_lvl_ext: str = ABSENT
    rec_url: str = ABSENT
    pn_ttl: int = Field(ABSENT, alias="pn_ttl")
