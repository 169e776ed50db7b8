"""SMS threads of an account."""

from __future__ import annotations

from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_account
from bellwire.families.thread_parts import ThreadsChangedBody
from bellwire.model.permission import Permission

FAMILY = EventFamily(
    name="message_thread",
    title="Message thread",
    description="An SMS thread is opened, assigned, reassigned or resolved.",
    templates=(Template(path="/restapi/v1.0/account/{accountId}/message-threads/sync", permission=Permission.SMS),),
    body=ThreadsChangedBody,
    ordering_key=by_account,
    sample={"lastModifiedTime": "2026-03-02T12:30:00.000Z"},
)
