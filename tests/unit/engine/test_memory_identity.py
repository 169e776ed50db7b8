"""The identity ports in memory keep the contract of the real stores, so that what stands on them is tested honestly."""

from __future__ import annotations

import pytest

from tests.conformance.identity import (
    CredentialStoreContract,
    DirectoryContract,
    IdentityStores,
    InstallationContract,
    SessionStoreContract,
)
from tests.doubles.identity import MemoryIdentity, MemoryInstallation


@pytest.fixture
def stores() -> IdentityStores:
    identity = MemoryIdentity()
    return IdentityStores(
        directory=identity, credentials=identity, sessions=identity, installation=MemoryInstallation()
    )


class TestMemoryDirectory(DirectoryContract):
    pass


class TestMemoryCredentials(CredentialStoreContract):
    pass


class TestMemorySessions(SessionStoreContract):
    pass


class TestMemoryInstallation(InstallationContract):
    pass
