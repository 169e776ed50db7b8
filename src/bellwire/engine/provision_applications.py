"""Provisioning of applications: client ids and secrets, permissions, grants, redirect URIs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from bellwire.engine.provision_commands import ApplicationChanges, NewApplication
from bellwire.engine.provision_scope import Desk, Page, Scope, page_of
from bellwire.engine.secrets import hash_secret, new_secret
from bellwire.errors import Conflict, InvalidRequest
from bellwire.model.identity import Application
from bellwire.model.ids import ClientId

_CLIENT_ID_BYTES = 16
_UNSAFE_SCHEMES = frozenset({"about", "blob", "data", "file", "filesystem", "javascript", "vbscript"})
"""A browser that is sent there would run or show what the address itself says."""


@dataclass(frozen=True, slots=True)
class ApplicationWithSecret:
    """An application with its secret, which is shown this once; None is a public client's."""

    application: Application
    client_secret: str | None


class Applications:
    """Applications, of all accounts or of one."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def page(self, scope: Scope, *, cursor: str | None = None, limit: int) -> Page[Application]:
        reached = (one for one in self._desk.directory.applications() if scope.covers(one.account_id))
        return page_of(reached, lambda application: application.client_id, cursor=cursor, limit=limit)

    def get(self, scope: Scope, client: ClientId) -> Application:
        return self._desk.reach.application(scope, client)

    async def create(self, scope: Scope, new: NewApplication) -> ApplicationWithSecret:
        account = new.account_id if new.account_id is not None else scope.account_id
        _require_usable(new.redirect_uris)
        async with self._desk.changing:
            if account is not None:
                self._desk.reach.named_account(scope, account, "accountId")
            secret = None if new.is_public else new_secret()
            application = Application(
                client_id=ClientId(new_secret(_CLIENT_ID_BYTES)),
                name=new.name,
                secret_hash=None if secret is None else hash_secret(secret),
                permissions=new.permissions,
                grants=new.grants,
                redirect_uris=tuple(dict.fromkeys(new.redirect_uris)),
                account_id=account,
                rate_limit_factor=new.rate_limit_factor,
                status=new.status,
                blacklist_policy=new.blacklist_policy,
            )
            await self._desk.writer.save_application(application)
            return ApplicationWithSecret(application, secret)

    async def change(self, scope: Scope, client: ClientId, changes: ApplicationChanges) -> Application:
        fields = changes.changes()
        if changes.redirect_uris is not None:
            _require_usable(changes.redirect_uris)
            fields["redirect_uris"] = tuple(dict.fromkeys(changes.redirect_uris))
        async with self._desk.changing:
            changed = replace(self._desk.reach.application(scope, client), **fields)
            await self._desk.writer.save_application(changed)
            return changed

    async def rotate_secret(self, scope: Scope, client: ClientId) -> ApplicationWithSecret:
        """A new secret; the old one is worth nothing from now on. Sessions that are open go on.

        Raises:
            Conflict: a public client has no secret.
        """
        async with self._desk.changing:
            present = self._desk.reach.application(scope, client)
            if present.is_public:
                raise Conflict("CMN-101", "A public client has no secret that could be changed", parameter="clientId")
            secret = new_secret()
            changed = replace(present, secret_hash=hash_secret(secret))
            await self._desk.writer.save_application(changed)
            return ApplicationWithSecret(changed, secret)

    async def delete(self, scope: Scope, client: ClientId) -> None:
        """With its sessions and subscriptions."""
        async with self._desk.changing:
            await self._desk.writer.remove_application(self._desk.reach.application(scope, client).client_id)


def _require_usable(redirect_uris: tuple[str, ...]) -> None:
    for position, uri in enumerate(redirect_uris):
        problem = why_not_redirected_to(uri)
        if problem is not None:
            name = f"redirectUris[{position}]"
            raise InvalidRequest(
                "CMN-101", f"Parameter [{name}] value is invalid: {problem}", parameter=name, value=uri
            )


def why_not_redirected_to(uri: str) -> str | None:
    """What forbids an address as a redirect URI, or None: absolute and without fragment (RFC 6749 section 3.1.2).

    Schemes of native applications (`com.example.app:/callback`) are allowed.
    """
    if not uri.isascii() or not uri.isprintable() or " " in uri or "\\" in uri:
        return "it has characters that a URI can't have"
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError as error:
        return f"it can't be parsed: {error}"
    if not parts.scheme:
        return "it has to be absolute, with a scheme"
    if parts.scheme in _UNSAFE_SCHEMES:
        return f"the scheme {parts.scheme} can't be redirected to"
    if "#" in uri:
        return "it must not have a fragment"
    if parts.scheme in ("http", "https") and not parts.hostname:
        return "it has no host"
    if parts.username is not None or parts.password is not None:
        return "it must not name a user"
    return None
