"""Messages in the SMS threads of an account."""

from __future__ import annotations

from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_account
from bellwire.families.thread_parts import ThreadsChangedBody
from bellwire.model.permission import Permission

FAMILY = EventFamily(
    name="message_thread_entry",
    title="Message thread entry",
    description="A message is added to or changed in an SMS thread.",
    templates=(
        Template(path="/restapi/v1.0/account/{accountId}/message-threads/entries/sync", permission=Permission.SMS),
    ),
    body=ThreadsChangedBody,
    ordering_key=by_account,
    sample={"lastModifiedTime": "2026-03-02T12:30:00.000Z"},
)
