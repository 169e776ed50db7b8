"""The body of the two message-thread families: it only says that there is something new to read."""

from __future__ import annotations

from bellwire.families.body import Body, Timestamp


class ThreadsChangedBody(Body):
    """Read what changed with the sync operation."""

    last_modified_time: Timestamp
