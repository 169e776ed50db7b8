"""What bounds the delivery engine: places, times and memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from bellwire.delivery.lane import LaneLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """Counts; times in seconds."""

    in_flight: int = 1024
    in_flight_per_origin: int = 64
    lane: LaneLimits = field(default_factory=LaneLimits)
    commit_every: float = 0.05
    commit_again_after: float = 1.0
    """A commit that the disk refused is tried again after this long."""
    settle_within: float = 2.0
    """No notification holds the watermark back for longer: then its subscription spills."""
    sweep_every: float = 0.25
    reads_at_once: int = 8
    apart_at_once: int = 32
    """Attempts outside the lanes: tests and replays."""
    gathered: int = 20_000
    """Entries of an uncommitted batch at which the router waits for the commit."""
    patience: float = 0.05
    """The router waits so long for a LIVE lane that is half full; one that stays so is left to overflow."""
    patience_at_most: float = 0.3
    """The same while the process is too busy to tell what an endpoint is like."""
    patience_again_after: float = 0.5
    """After it has waited for the patience in vain, the router waits for nobody for this long, and in proportion when
    it has waited longer: slow lanes cost it a tenth."""
    memory_bytes: int = 128 << 20
    """Bodies that wait in memory, over all lanes."""
    read_again_after: float = 1.0
    """A backlog that could not be read, since the disk failed, is read again after this long."""
    purge_again_after: float = 1.0
    """A backlog that could not be dropped, since the disk failed, is tried again after this long."""
