"""What one gateway allows (wire contract, 5.3, 5.6 to 5.8)."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_RECOVERY_SECONDS = 180
DEFAULT_RECOVERY_MESSAGES = 100
MAX_FRAME_BYTES = (1 << 20) - 1
"""Of what is sent: Python's client refuses frames of 1 MiB and more by closing the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """Times in seconds."""

    connections_per_session: int = 50
    """Of one OAuth session."""
    connections_per_user: int = 200
    """Of one user, through all applications."""
    connections: int = 10_000
    active_requests: int = 10
    """Of one connection."""
    waiting_bytes: int = 1 << 20
    """Bodies of notifications that wait for one client to read; one more, and it is cut off."""
    idle_seconds: float = 1800
    absolute_seconds: float = 86_400
    ping_seconds: float = 30
    pong_seconds: float = 10
    recovery_seconds: float = DEFAULT_RECOVERY_SECONDS
    recovery_messages: int = DEFAULT_RECOVERY_MESSAGES
    reads_log: bool = False
    """Missed notifications are read from the event log when a session is recovered, and not kept in memory."""
