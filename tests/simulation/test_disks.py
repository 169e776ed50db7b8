"""The simulated disk's ports keep the contracts that the real ones keep."""

from __future__ import annotations

import random

import pytest

from bellwire.ports.backlog import Backlog
from bellwire.ports.event_log import EventLog
from bellwire.ports.retention import RetentionStore
from tests.conformance.retention import RetentionContract
from tests.simulation.audit import Audit
from tests.simulation.disks import Disk, SimulatedBacklog, SimulatedLog, SimulatedRetention


class OneProcess:
    def __init__(self) -> None:
        disk = Disk(Audit(least_pause=0.0), random.Random(1))
        process = disk.begin()
        self.event_log: EventLog = SimulatedLog(disk, process)
        self.backlog: Backlog = SimulatedBacklog(disk, process)
        self.retention: RetentionStore = SimulatedRetention(disk, process)


class TestSimulatedRetention(RetentionContract):
    @pytest.fixture
    def engine(self) -> OneProcess:
        return OneProcess()
