"""Request ids in log lines: whatever is logged while a request is answered, on its behalf, names it.

Contexts outlive requests: a connection that a request happened to open, or a timer that it happened to set, keeps the
context for good. So the id is dropped from the context when the request is over, not only from the task that answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from structlog.typing import EventDict, WrappedLogger


class _Request:
    __slots__ = ("request_id",)

    def __init__(self, request_id: str) -> None:
        self.request_id: str | None = request_id


_current: ContextVar[_Request | None] = ContextVar("bellwire_request", default=None)


@contextmanager
def answering(request_id: str) -> Iterator[None]:
    """While the context lasts, log lines name this request; also those of tasks that are begun in it."""
    request = _Request(request_id)
    token = _current.set(request)
    try:
        yield
    finally:
        request.request_id = None
        _current.reset(token)


def add_request_id(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """A structlog processor. A line that names a request by itself keeps that."""
    request = _current.get()
    if request is not None and request.request_id is not None:
        fields.setdefault("request_id", request.request_id)
    return fields
