"""Provisioning: who there is and who may call, as administrators make, change and delete it.

    provision_commands       what may be asked for, with every limit
    provision_scope          what an administrator reaches, ids, pages
    provision_accounts       accounts and extensions
    provision_numbers        phone numbers and devices
    provision_applications   applications
    provision_credentials    passwords, JWTs, publisher and admin keys

Checks and the save that relies on them happen under one lock; the stores' own constraints stand behind it.
"""

from __future__ import annotations

from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.provision_accounts import Accounts, Extensions
from bellwire.engine.provision_applications import Applications
from bellwire.engine.provision_commands import NewAdminKey
from bellwire.engine.provision_credentials import Jwts, Keys, Logins
from bellwire.engine.provision_numbers import Devices, Numbers
from bellwire.engine.provision_scope import ALL_ACCOUNTS, Desk, Ids, Reach, Scope
from bellwire.model.identity import KeyKind
from bellwire.ports.clock import Clock
from bellwire.ports.identity import CredentialStore, Directory, DirectoryWriter, Installation

__all__ = ["ALL_ACCOUNTS", "Provisioning", "Scope"]


class Provisioning:
    """All that an administrator does, part by part. Each operation takes the `Scope` of the key that asks for it.

    All of them raise `NotFound` for what is not there or out of reach, `InvalidRequest` for a reference to such a
    thing, and `Conflict` for what another already has.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        writer: DirectoryWriter,
        credentials: CredentialStore,
        installation: Installation,
        clock: Clock,
    ) -> None:
        desk = Desk(
            directory=directory,
            writer=writer,
            credentials=credentials,
            clock=clock,
            reach=Reach(directory),
            ids=Ids(directory, clock),
        )
        self._credentials = credentials
        self.accounts = Accounts(desk)
        self.extensions = Extensions(desk)
        self.numbers = Numbers(desk)
        self.devices = Devices(desk)
        self.applications = Applications(desk)
        self.logins = Logins(desk)
        self.jwts = Jwts(desk, UserJwts(credentials=credentials, installation=installation, clock=clock))
        self.publisher_keys = Keys(desk, KeyKind.PUBLISHER)
        self.admin_keys = Keys(desk, KeyKind.ADMIN)

    async def ensure_first_admin_key(self) -> str | None:
        """Make the first admin key, good for all accounts, if there is none at all; the key is shown this once."""
        if await self._credentials.keys(KeyKind.ADMIN):
            return None
        made = await self.admin_keys.create(ALL_ACCOUNTS, NewAdminKey(label="First admin key"))
        return made.key
