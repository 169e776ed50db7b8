"""One nursery for all real processes that a test run's worker starts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.faults.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery
