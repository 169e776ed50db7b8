"""The figures that bound the webhook sender."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SenderLimits:
    """Times in seconds."""

    max_connections: int = 512
    """Open and being opened, to all origins together."""
    max_connections_per_origin: int = 64
    max_idle_per_origin: int = 16
    """More may be idle for `surplus_idle_for`, so that a burst doesn't open and close as many connections each time."""
    surplus_idle_for: float = 1.0
    idle_for: float = 15.0
    connection_age: float = 300.0
    """An older connection is not used again, so that a change of the name's addresses is followed."""
    connect_timeout: float = 3.0
    answer_timeout: float = 3.0
    """For a whole attempt, from hand-over: connecting and waiting for a connection included."""
    max_answer_bytes: int = 64 * 1024
    """Of one answer to a delivery, interim answers included."""
    max_handshakes: int = 64
    """Fresh connections for `ask` at one time, beside the others."""
    max_handshake_answer_bytes: int = 16 * 1024
    sweep_every: float = 0.05
    """How often deadlines are looked at: how late a timeout may be noticed."""
    standstill: float = 1.0
    """A sweep that comes later than due by more than this finds that the whole process stood still."""
