"""The doubles' subscription store keeps the contract that the real one keeps."""

from __future__ import annotations

import pytest

from tests.conformance.subscription_store import StoppedClock, SubscriptionStoreContract
from tests.doubles.subscriptions import MemorySubscriptionStore


class TestMemorySubscriptionStore(SubscriptionStoreContract):
    @pytest.fixture
    def clock(self) -> StoppedClock:
        return StoppedClock()

    @pytest.fixture
    def store(self, clock: StoppedClock) -> MemorySubscriptionStore:
        return MemorySubscriptionStore(clock)
