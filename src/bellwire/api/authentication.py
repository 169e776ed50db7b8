"""Who makes a request, and may it: access tokens of the compatible API, keys of `/bellwire/v1`, `~` and ids of paths.

Routes take these as dependencies: `caller: Caller = Depends(authenticator.caller(RateGroup.LIGHT))`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request, Security
from fastapi.security import APIKeyQuery, HTTPAuthorizationCredentials, HTTPBearer

from bellwire.api.public_url import TrustedProxies, rate_key_of
from bellwire.api.rate_limits import RateGroup, RateLimits, Standing
from bellwire.engine.authorize import Admit
from bellwire.engine.authorize_sessions import Sessions
from bellwire.engine.secrets import hash_secret
from bellwire.errors import Forbidden, NotFound, Unauthenticated
from bellwire.model.directory import Extension, Status
from bellwire.model.identity import ApiKey, Application, Caller, KeyKind
from bellwire.model.ids import AccountId, ExtensionId
from bellwire.model.permission import Permission, UserPermission
from bellwire.ports.clock import Clock
from bellwire.ports.identity import CredentialStore, Directory
from bellwire.ports.socket_gateway import socket_link_of

_MAX_KEY_LENGTH = 512

_ACCESS_TOKEN = HTTPBearer(
    scheme_name="accessToken", description="An OAuth access token of a user.", bearerFormat="opaque", auto_error=False
)
_ACCESS_TOKEN_IN_QUERY = APIKeyQuery(
    name="access_token", scheme_name="accessTokenInQuery", description="The same in the query.", auto_error=False
)
PUBLISHER_KEY = HTTPBearer(scheme_name="publisherKey", description="A publisher key.", auto_error=False)
_ADMIN_KEY = HTTPBearer(scheme_name="adminKey", description="An admin key.", auto_error=False)


class Authenticator:
    """Resolves access tokens and keys, and counts requests against the rate limits."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        credentials: CredentialStore,
        limits: RateLimits,
        clock: Clock,
        proxies: TrustedProxies,
    ) -> None:
        self._sessions = sessions
        self._credentials = credentials
        self._limits = limits
        self._clock = clock
        self._proxies = proxies

    def caller(self, group: RateGroup) -> Callable[..., Awaitable[Caller]]:
        """A dependency: the user behind the access token, one request of `group` counted.

        Raises:
            Unauthenticated: the codes of contract 2.6.
            TooManyRequests: CMN-301.
        """

        async def resolved(
            request: Request,
            _header: HTTPAuthorizationCredentials | None = Security(_ACCESS_TOKEN),
            _query: str | None = Security(_ACCESS_TOKEN_IN_QUERY),
        ) -> Caller:
            link = socket_link_of(request.scope)
            caller = await self._sessions.caller(access_token_of(request)) if link is None else link.caller()
            self._count(request, (caller.client_id, caller.extension_id), group, caller.rate_limit_factor)
            return caller

        return resolved

    def admit(self, request: Request) -> Admit:
        """Counts a request of the OAuth endpoints: by application and user, of an unknown user by its address."""

        def counted(application: Application, user: ExtensionId | None) -> None:
            whose = self.rate_key(request) if user is None else user
            who = (application.client_id, user is None, whose)
            self._count(request, who, RateGroup.AUTH, application.rate_limit_factor)

        return counted

    def rate_key(self, request: Request) -> str:
        """What stands for a caller that may be anybody: its address."""
        return rate_key_of(self._proxies.remote_address(request))

    def _count(self, request: Request, who: tuple[object, ...], group: RateGroup, factor: float) -> None:
        standing: Standing | None = self._limits.hit(who, group, factor=factor, now=self._clock.monotonic())
        if standing is not None:
            request.state.rate_limit_headers = standing.headers()
            standing.require()

    async def publisher(
        self, request: Request, _key: HTTPAuthorizationCredentials | None = Security(PUBLISHER_KEY)
    ) -> ApiKey:
        """A dependency: the publisher key of the request. Raises `Unauthenticated` when it is missing or not one."""
        return self._key_of(request, KeyKind.PUBLISHER)

    def caller_or_publisher(self, group: RateGroup) -> Callable[..., Awaitable[Caller | ApiKey]]:
        """A dependency: the publisher key of the request, or else the user behind its access token, one request of
        `group` counted. Raises as `caller`."""

        async def resolved(
            request: Request,
            _header: HTTPAuthorizationCredentials | None = Security(_ACCESS_TOKEN),
            _query: str | None = Security(_ACCESS_TOKEN_IN_QUERY),
            _key: HTTPAuthorizationCredentials | None = Security(PUBLISHER_KEY),
        ) -> Caller | ApiKey:
            shown = access_token_of(request)
            key = self._credentials.key_with_hash(hash_secret(shown)) if len(shown) <= _MAX_KEY_LENGTH else None
            if key is not None:
                return _enabled(key, KeyKind.PUBLISHER)
            caller = await self._sessions.caller(shown)
            self._count(request, (caller.client_id, caller.extension_id), group, caller.rate_limit_factor)
            return caller

        return resolved

    async def admin(self, request: Request, _key: HTTPAuthorizationCredentials | None = Security(_ADMIN_KEY)) -> ApiKey:
        """A dependency: the admin key of the request. Raises `Unauthenticated` when it is missing or not one."""
        return self._key_of(request, KeyKind.ADMIN)

    def _key_of(self, request: Request, kind: KeyKind) -> ApiKey:
        scheme, _, shown = request.headers.get("authorization", "").strip().partition(" ")
        if not scheme:
            article = "An" if kind is KeyKind.ADMIN else "A"
            raise Unauthenticated("CMN-405", f"{article} {kind} key is needed: send it as Authorization: Bearer <key>")
        if scheme.lower() != "bearer":
            raise Unauthenticated("OAU-151", f"Authorization method not supported: send the {kind} key as Bearer")
        key = self._credentials.key_with_hash(hash_secret(shown.strip())) if len(shown) <= _MAX_KEY_LENGTH else None
        return _enabled(key, kind)


def _enabled(key: ApiKey | None, kind: KeyKind) -> ApiKey:
    if key is None or key.kind is not kind or key.status is not Status.ENABLED:
        raise Unauthenticated("OAU-213", f"This is no {kind} key, or one that is disabled")
    return key


def access_token_of(request: Request) -> str:
    """The access token as the request shows it: in the header (any case of `bearer`), or else in the query.

    Raises:
        Unauthenticated: CMN-405 none, OAU-151 another scheme, OAU-149 an empty one.
    """
    header = request.headers.get("authorization", "").strip()
    if not header:
        in_query = request.query_params.get("access_token")
        if not in_query:
            raise Unauthenticated("CMN-405", "Login is required: send an access token as Authorization: Bearer <token>")
        return in_query
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("OAU-151", "Authorization method not supported; expected is Bearer")
    if not token.strip():
        raise Unauthenticated("OAU-149", "Unparsable access token: it is empty")
    return token.strip()


def require_scope(caller: Caller, *permissions: Permission) -> None:
    """Refuse a caller whose application has none of these permissions (403 CMN-401)."""
    if not caller.scope.intersection(permissions):
        names = " or ".join(permissions)
        raise Forbidden("CMN-401", f"In order to call this API endpoint, the application needs permission [{names}]")


def require_user_permission(directory: Directory, caller: Caller, permission: UserPermission) -> None:
    """Refuse a caller whose user lacks this right (403 CMN-408)."""
    extension = directory.extension(caller.extension_id)
    if extension is None or not extension.may(permission):
        raise Forbidden("CMN-408", f"In order to call this API endpoint, the user needs permission [{permission}]")


def own_account(caller: Caller, account_id: str) -> AccountId:
    """The caller's account, written as `~` or by its id; any other is not found (404 CMN-102)."""
    if account_id not in ("~", caller.account_id):
        raise NotFound("CMN-102", "Resource for parameter [accountId] is not found", parameter="accountId")
    return caller.account_id


def own_extension(directory: Directory, caller: Caller, extension_id: str) -> Extension:
    """The caller's own extension, written as `~` or by its id.

    Raises:
        Forbidden: CMN-404, another extension of the account.
        NotFound: CMN-102, anything else.
    """
    extension = _extension_of_account(directory, caller, extension_id)
    if extension.id != caller.extension_id:
        raise Forbidden("CMN-404", "Access to another extension is not allowed", parameter="extensionId")
    return extension


def visible_extension(directory: Directory, caller: Caller, extension_id: str, permission: UserPermission) -> Extension:
    """An extension of the caller's account: its own, or another that `permission` lets it see.

    Raises:
        Forbidden: CMN-404, another extension, and the user has no such right.
        NotFound: CMN-102.
    """
    extension = _extension_of_account(directory, caller, extension_id)
    if extension.id != caller.extension_id:
        own = directory.extension(caller.extension_id)
        if own is None or not own.may(permission):
            raise Forbidden(
                "CMN-404",
                f"Access to another extension needs the user permission [{permission}]",
                parameter="extensionId",
            )
    return extension


def _extension_of_account(directory: Directory, caller: Caller, extension_id: str) -> Extension:
    named = caller.extension_id if extension_id == "~" else ExtensionId(extension_id)
    extension = directory.extension(named)
    if extension is None or extension.account_id != caller.account_id:
        raise NotFound("CMN-102", "Resource for parameter [extensionId] is not found", parameter="extensionId")
    return extension
