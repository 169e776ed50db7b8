"""How the server listens: uvicorn's configuration, with a count of the sockets that are open.

Requests and WebSockets share one listener, and uvicorn counts both as connections; each has a limit of its own here.
"""

from __future__ import annotations

import uvicorn


class ListenerConfig(uvicorn.Config):
    """`open_sockets`: WebSocket connections, which don't count against `limit_concurrency`."""

    open_sockets: int = 0


def open_sockets(config: uvicorn.Config) -> int:
    return config.open_sockets if isinstance(config, ListenerConfig) else 0


def count_socket(config: uvicorn.Config, change: int) -> None:
    """One more, or one less."""
    if isinstance(config, ListenerConfig):
        config.open_sockets += change
