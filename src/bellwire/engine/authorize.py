"""The OAuth use cases: tokens for a grant, a login at the page, the end of a session (wire contract, section 1).

    authorize_clients     which application asks
    authorize_jwts        grant JWT bearer
    authorize_passwords   grant password, and the login page
    authorize_codes       grant authorization code
    authorize_sessions    what all of them open, and grant refresh

The caller's rate is counted once its user is known and before anything dear is done: `admit` is asked with the user,
or with None for one that does not exist, and raises `TooManyRequests`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bellwire.engine.authorize_clients import authenticate_client, require_grant, why_not_signed_in
from bellwire.engine.authorize_codes import AuthorizationCodes, AuthorizationRequest, Redirect
from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.authorize_passwords import Passwords
from bellwire.engine.authorize_sessions import GrantedTokens, Lifetimes, Sessions
from bellwire.engine.wrong_guesses import WrongGuesses
from bellwire.errors import OAuthRefused, TooManyRequests
from bellwire.model.directory import Extension
from bellwire.model.identity import Application, Grant
from bellwire.model.ids import ExtensionId
from bellwire.model.permission import Permission
from bellwire.ports.identity import Directory
from bellwire.wire.oauth import access_ttl, client_credentials, refresh_ttl

Admit = Callable[[Application, ExtensionId | None], None]
"""Counts one request of this application and user against the rate limit; None is an unknown user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """What the login page shows, and the signed request that its form carries back."""

    application: Application
    request: AuthorizationRequest
    login_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed:
    """A login that did not succeed: the page once more, with why."""

    page: LoginPage
    message: str


class Authorization:
    """The OAuth endpoints' use cases over the identity ports."""

    def __init__(
        self,
        *,
        directory: Directory,
        sessions: Sessions,
        jwts: UserJwts,
        passwords: Passwords,
        codes: AuthorizationCodes,
        guesses: WrongGuesses,
    ) -> None:
        self._directory = directory
        self._sessions = sessions
        self._jwts = jwts
        self._passwords = passwords
        self._codes = codes
        self._guesses = guesses

    async def token(
        self, form: Mapping[str, str], authorization: str | None, admit: Admit, *, address: str
    ) -> GrantedTokens:
        """Answer a token request: authenticate the client, prove the user by the grant, open or refresh a session.

        Args:
            form: the parsed body (`wire.oauth.parse_form`).
            authorization: the `Authorization` header as sent.
            address: what stands for the caller's, by which wrong passwords are counted.

        Raises:
            OAuthRefused: with the codes of contract 1.7.
            TooManyRequests: what `admit` raised.
        """
        application = authenticate_client(self._directory, client_credentials(authorization, form))
        grant = _grant(form)
        require_grant(application, grant)
        if grant is Grant.REFRESH_TOKEN:
            return await self._refresh(application, form, admit)
        scope = _scope(application, form.get("scope"))
        match grant:
            case Grant.JWT_BEARER:
                user = await self._user_of_jwt(application, form, admit)
            case Grant.PASSWORD:
                user = await self._user_of_password(application, form, admit, _guesser(application, address))
            case Grant.AUTHORIZATION_CODE:
                user = await self._user_of_code(application, form, admit)
        return await self._sessions.open(
            application,
            self._signed_in(user, application),
            scope=scope,
            lifetimes=Lifetimes(
                access_seconds=access_ttl(form.get("access_token_ttl")),
                refresh_seconds=refresh_ttl(form.get("refresh_token_ttl")),
            ),
            endpoint_id=form.get("endpoint_id"),
        )

    async def _refresh(self, application: Application, form: Mapping[str, str], admit: Admit) -> GrantedTokens:
        refresh_token = _required(form, "refresh_token")
        session = await self._sessions.owner_of(refresh_token)
        owned = session is not None and session.client_id == application.client_id
        admit(application, session.extension_id if session is not None and owned else None)
        asked = form.get("refresh_token_ttl")
        return await self._sessions.refresh(
            application,
            refresh_token,
            access_seconds=access_ttl(form.get("access_token_ttl")),
            refresh_seconds=None if asked is None else refresh_ttl(asked),
        )

    async def _user_of_jwt(self, application: Application, form: Mapping[str, str], admit: Admit) -> ExtensionId:
        try:
            user = await self._jwts.user_of(_required(form, "assertion"), application)
        except OAuthRefused:
            admit(application, None)
            raise
        admit(application, user)
        return user

    async def _user_of_password(
        self, application: Application, form: Mapping[str, str], admit: Admit, guesser: str | None
    ) -> ExtensionId:
        username, password = _required(form, "username"), _required(form, "password")
        if guesser is not None:
            if (wait := self._guesses.wait_seconds(guesser)) > 0:
                message = f"Too many wrong passwords came from this address; try again in {wait} s"
                raise TooManyRequests("CMN-301", message, retry_after_seconds=wait)
            self._guesses.count(guesser)  # at once: those in parallel count, too
        found = await self._passwords.find(username, form.get("extension"))
        admit(application, found)
        user = await self._passwords.check(found, password)
        if guesser is not None:
            self._guesses.take_back(guesser)
        return user.id

    async def _user_of_code(self, application: Application, form: Mapping[str, str], admit: Admit) -> ExtensionId:
        try:
            code = await self._codes.take(_required(form, "code"))
        except OAuthRefused:
            admit(application, None)
            raise
        admit(application, code.extension_id)  # a code lost to the limit would not outlive the penalty either
        self._codes.judge(code, application, form)
        return code.extension_id

    def _signed_in(self, user: ExtensionId, application: Application) -> Extension:
        extension = self._directory.extension(user)
        reason = why_not_signed_in(self._directory, extension, application)
        if extension is None or reason is not None:
            raise OAuthRefused("invalid_grant", "OAU-141", reason or "The extension does not exist any more")
        return extension

    def login_page(self, form: Mapping[str, str], admit: Admit) -> LoginPage | Redirect:
        """The login page for an authorization request, or the redirect that refuses it.

        Raises:
            OAuthRefused: client or redirect URI are not registered; there is nowhere to redirect to.
        """
        application = self._codes.application_named(form)
        admit(application, None)
        match self._codes.read(application, form):
            case Redirect() as redirect:
                return redirect
            case request:
                return self._page(application, request)

    async def log_in(self, form: Mapping[str, str], admit: Admit, *, address: str) -> Redirect | LoginFailed:
        """Take the login page's form: the way to the application with a code, or the page again with the reason.

        Args:
            address: as for `token`.

        Raises:
            OAuthRefused: the form is not one of ours, too old, or its application is gone.
            TooManyRequests: what `admit` raised; or too many wrong passwords came from the address.
        """
        request = self._codes.unseal_from_login(form.get("login_state", ""))
        application = self._codes.application_named({"client_id": request.client_id})
        if form.get("decision") == "cancel":
            return request.refused("access_denied", "The user did not log in")
        try:
            user = await self._user_of_password(application, form, admit, address)
            extension = self._signed_in(user, application)
        except OAuthRefused as refused:
            return LoginFailed(page=self._page(application, request), message=refused.message)
        return await self._codes.issue(request, application, extension)

    def _page(self, application: Application, request: AuthorizationRequest) -> LoginPage:
        return LoginPage(application=application, request=request, login_state=self._codes.seal_for_login(request))

    async def revoke(self, form: Mapping[str, str], token: str | None, authorization: str | None, admit: Admit) -> None:
        """End the session of an access or refresh token; a token that is unknown here is no error (RFC 7009).

        Args:
            token: the token of the query, used when the form has none.
        """
        application = authenticate_client(self._directory, client_credentials(authorization, form))
        shown = form.get("token", token)
        if shown is None:
            raise _missing("token")
        owner = await self._sessions.owner_of(shown)
        owned = owner is not None and owner.client_id == application.client_id
        admit(application, owner.extension_id if owner is not None and owned else None)
        if owner is not None and owned:
            await self._sessions.end(owner.id)


def _guesser(application: Application, address: str) -> str | None:
    """By what wrong passwords are counted; None: not at all, since a confidential application brings them from all of
    its users by the one address of its own, and has shown its secret."""
    return address if application.secret_hash is None else None


def _grant(form: Mapping[str, str]) -> Grant:
    name = _required(form, "grant_type")
    try:
        return Grant(name)
    except ValueError:
        raise OAuthRefused(
            "unsupported_grant_type", "OAU-112", f"Unsupported grant type: [{name}]; known are {', '.join(Grant)}"
        ) from None


def _scope(application: Application, asked: str | None) -> frozenset[Permission]:
    if asked is None:
        return application.permissions
    names = set(asked.split())
    granted = frozenset(p for p in application.permissions if p.value in names)
    if not granted:
        raise OAuthRefused("invalid_scope", "CMN-401", f"The application has none of the permissions [{asked[:200]}]")
    return granted


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if value is None:
        raise _missing(name)
    return value


def _missing(name: str) -> OAuthRefused:
    return OAuthRefused("invalid_request", "CMN-101", f"Parameter [{name}] is missing")
