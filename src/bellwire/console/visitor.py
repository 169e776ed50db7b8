"""An operator at a page: what it may see now, and how a page tells that it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.console.facade import EngineFacade
from bellwire.console.feed import Feed
from bellwire.console.sessions import ConsoleSession
from bellwire.engine.provision_scope import Scope
from bellwire.errors import Unavailable

if TYPE_CHECKING:
    from bellwire.console.gate import ConsoleGate


class SignedOut(Exception):
    """The session ended, or its key is worth nothing any more: the page leads to the sign-in."""


class Visitor:
    """Made for each page that is opened. Asks the engine that is there now: a development server changes it."""

    def __init__(self, gate: ConsoleGate, session: ConsoleSession, base: str) -> None:
        self._gate = gate
        self._session = session
        self.base = base
        """Path of the console, without a slash at the end."""

    @property
    def facade(self) -> EngineFacade:
        """
        Raises:
            Unavailable: the engine is being started anew.
        """
        facade = self._gate.facade
        if not facade.is_ready():
            raise Unavailable("The server is being started anew.", retry_after_seconds=1)
        return facade

    @property
    def has_sms_lab(self) -> bool:
        return self._gate.facade.sms is not None

    @property
    def feed(self) -> Feed:
        return self._gate.feed

    @property
    def scope(self) -> Scope:
        """What it may see at this moment.

        Raises:
            SignedOut: nothing any more.
        """
        if not self._gate.sessions.goes_on(self._session):
            raise SignedOut
        scope = self._gate.facade.scope_of(self._session.key_hash)
        if scope is None:
            raise SignedOut
        return scope

    def link(self, path: str) -> str:
        """The address of a page, by its path within the console."""
        return self.base + path
