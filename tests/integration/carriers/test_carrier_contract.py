from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bellwire.carriers.simulator import SimulatedCarrier
from bellwire.model.sms import MessageId, OutgoingText
from bellwire.observe.system_clock import SystemClock
from tests.conformance.carrier import CarrierContract, Started
from tests.doubles.carrier_reports import RecordingReports
from tests.integration.carriers.opened import a_carrier
from tests.integration.carriers.smpp34_process import an_smpp34_smsc


class TestSmppCarrier(CarrierContract):
    good, early, failing = "+16505550141", "+16505550148", "+16505550149"

    @pytest.fixture
    async def started(self, tmp_path: Path) -> AsyncIterator[Started]:
        reports = RecordingReports()
        async with an_smpp34_smsc(auto=True) as smsc, a_carrier(smsc.port, reports, tmp_path) as carrier:
            yield Started(carrier, reports)


class TestSimulatedCarrier(CarrierContract):
    good, early, failing = "+16505550141", "+16505559002", "+16505558431"

    @pytest.fixture
    async def started(self) -> AsyncIterator[Started]:
        async def taken(_after: MessageId | None, _limit: int) -> Sequence[OutgoingText]:
            return []

        faults: list[BaseException] = []
        reports = RecordingReports()
        carrier = SimulatedCarrier(clock=SystemClock(), taken=taken, on_fatal=faults.append, mean_delay_seconds=0.05)
        await carrier.start(reports)
        yield Started(carrier, reports)
        await carrier.stop(drain_seconds=0)
        assert not faults
