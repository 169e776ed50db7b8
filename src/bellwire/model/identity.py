"""Who may call: applications, users' credentials, OAuth sessions, publisher and admin keys.

High-entropy secrets (client secrets, tokens, codes, keys) are stored as SHA-256; passwords, which people choose, as
scrypt. What must be shown or sent again is encrypted instead, and the field's name ends in `_sealed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bellwire.model.directory import Status
from bellwire.model.ids import AccountId, ClientId, ExtensionId, SessionId
from bellwire.model.permission import Permission


class Grant(StrEnum):
    """OAuth grants, by their names on the wire (wire contract, 1.3)."""

    JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    PASSWORD = "password"  # noqa: S105 - the grant's name
    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the grant's name


class BlacklistPolicy(StrEnum):
    """What becomes of a blacklisted subscription (wire contract, 3.10, where the sources contradict each other)."""

    HEALING = "healing"
    """Its address is tried again now and then, and it becomes active when the address answers."""
    PERMANENT = "permanent"
    """It stays so until its owner updates or renews it, or makes another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An OAuth client."""

    client_id: ClientId
    name: str
    secret_hash: bytes | None
    """SHA-256 of the secret; None is a public client (PKCE)."""
    permissions: frozenset[Permission]
    grants: frozenset[Grant] = frozenset(Grant)
    redirect_uris: tuple[str, ...] = ()
    account_id: AccountId | None = None
    """The only account whose users may log in with it; None is every account."""
    rate_limit_factor: float = 1.0
    """Times the documented limits (wire contract, 2.4)."""
    status: Status = Status.ENABLED
    blacklist_policy: BlacklistPolicy | None = None
    """For its subscriptions; None is the server's (setting `blacklist_reactivates`)."""

    @property
    def is_public(self) -> bool:
        return self.secret_hash is None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLogin:
    """How a user proves who it is with a password. `user_name` is unique over all accounts."""

    extension_id: ExtensionId
    user_name: str | None
    password_hash: bytes | None
    failed_attempts: int = 0
    locked_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtCredential:
    """A JWT that was given out to log in as one user; the token itself is not kept, only its id."""

    jti: str
    extension_id: ExtensionId
    label: str
    created_at: datetime
    client_ids: tuple[ClientId, ...] = ()
    """Applications that may use it; empty is all."""
    expires_at: datetime | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """One access token and one refresh token, as hashes, with the instants at which they end."""

    access_hash: bytes
    access_expires_at: datetime
    refresh_hash: bytes | None
    refresh_expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login of one user through one application, with its present token pair.

    For the grace of a lost answer (wire contract, 1.5) it remembers the refresh token before, and the present pair
    encrypted, so that a repeated refresh gets the same pair again.
    """

    id: SessionId
    client_id: ClientId
    extension_id: ExtensionId
    account_id: AccountId
    scope: frozenset[Permission]
    endpoint_id: str
    tokens: TokenPair
    refresh_ttl_seconds: int
    created_at: datetime
    last_used_at: datetime
    previous_access_hash: bytes | None = None
    """So that the replaced access token is told apart from an unknown one."""
    previous_refresh_hash: bytes | None = None
    refreshed_at: datetime | None = None
    present_pair_sealed: bytes | None = None
    present_access_used_at: datetime | None = None
    """When the present access token was first used; None: not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """A code on its way from the login page to the token endpoint; used once."""

    code_hash: bytes
    client_id: ClientId
    extension_id: ExtensionId
    redirect_uri: str
    redirect_uri_given: bool
    scope: frozenset[Permission]
    code_challenge: str | None
    code_challenge_method: str
    """`plain` or `S256`."""
    expires_at: datetime


class KeyKind(StrEnum):
    PUBLISHER = "publisher"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key for `/bellwire/v1`, apart from OAuth."""

    id: str
    kind: KeyKind
    label: str
    key_hash: bytes
    account_id: AccountId | None
    """The only account it is good for; None is all."""
    default_account_id: AccountId | None = None
    """For a publisher key that is good for all: the account of events that don't say theirs."""
    created_at: datetime
    status: Status = Status.ENABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request of the compatible API, resolved from its access token."""

    session_id: SessionId
    client_id: ClientId
    account_id: AccountId
    extension_id: ExtensionId
    scope: frozenset[Permission]
    rate_limit_factor: float
