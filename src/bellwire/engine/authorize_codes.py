"""The authorization-code grant: the request at the authorize endpoint, its way through the login page, and the code.

A request whose client or redirect URI is not beyond doubt is refused in place; anything else that is wrong with it is
told to the application by redirect (RFC 6749 section 4.1.2.1; wire contract, 1.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import jwt as pyjwt

from bellwire.engine.secrets import hash_secret, new_secret
from bellwire.errors import OAuthRefused
from bellwire.model.directory import Extension, Status
from bellwire.model.identity import Application, AuthorizationCode, Grant
from bellwire.model.ids import ClientId
from bellwire.ports.clock import Clock
from bellwire.ports.identity import Directory, Installation, SessionStore
from bellwire.wire.oauth import is_code_challenge, proves, with_query

CODE_LIFETIME = timedelta(seconds=60)
LOGIN_PAGE_LIFETIME = timedelta(minutes=10)
_METHODS = ("plain", "S256")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request that may be shown to a user: client and redirect URI are registered, the rest is sound."""

    client_id: ClientId
    redirect_uri: str
    redirect_uri_given: bool
    state: str | None
    code_challenge: str | None
    code_challenge_method: str

    def refused(self, error: str, description: str) -> Redirect:
        return Redirect(with_query(self.redirect_uri, _answer(self.state, error=error, error_description=description)))


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the user's browser goes next."""

    uri: str


class AuthorizationCodes:
    """Reads authorization requests, carries them through the login page, issues codes and takes them back."""

    def __init__(self, *, directory: Directory, store: SessionStore, installation: Installation, clock: Clock) -> None:
        self._directory = directory
        self._store = store
        self._installation = installation
        self._clock = clock

    def application_named(self, form: Mapping[str, str]) -> Application:
        """The application that the request is for.

        Raises:
            OAuthRefused: none is named, or an unknown or disabled one.
        """
        client_id = form.get("client_id")
        if client_id is None:
            raise OAuthRefused("invalid_request", "CMN-101", "Parameter [client_id] is missing")
        application = self._directory.application(ClientId(client_id))
        if application is None or application.status is not Status.ENABLED:
            raise OAuthRefused("invalid_client", "OAU-146", "Parameter [client_id] names no known application")
        return application

    def read(self, application: Application, form: Mapping[str, str]) -> AuthorizationRequest | Redirect:
        """Judge the parameters of the authorize endpoint (wire contract, 1.6).

        Raises:
            OAuthRefused: no redirect URI is registered or chosen, or one that is not registered: no redirect then.
        """
        given = form.get("redirect_uri")
        challenge = form.get("code_challenge")
        request = AuthorizationRequest(
            client_id=application.client_id,
            redirect_uri=_redirect_uri(application, given),
            redirect_uri_given=given is not None,
            state=form.get("state"),
            code_challenge=challenge,
            code_challenge_method=form.get("code_challenge_method", "plain"),
        )
        response_type = form.get("response_type")
        if response_type is None:
            return request.refused("invalid_request", "Parameter [response_type] is missing")
        if response_type != "code":
            return request.refused("unsupported_response_type", "Parameter [response_type] can only be code")
        if Grant.AUTHORIZATION_CODE not in application.grants:
            return request.refused("unauthorized_client", "The client may not use the authorization code grant")
        if request.code_challenge_method not in _METHODS:
            return request.refused("invalid_request", "Parameter [code_challenge_method] can only be plain or S256")
        if challenge is None and application.is_public:
            return request.refused("invalid_request", "A public client needs PKCE: [code_challenge] is missing")
        if challenge is not None and not is_code_challenge(challenge):
            return request.refused("invalid_request", "Parameter [code_challenge] has characters that it may not have")
        if "none" in form.get("prompt", "").split():
            # Bellwire keeps no browser session: a user always has to log in.
            return request.refused("login_required", "The user is not logged in, and prompt=none forbids to ask")
        return request

    def seal_for_login(self, request: AuthorizationRequest) -> str:
        """The request as a signed text for the login page's form, good for ten minutes."""
        expires_at = self._clock.now() + LOGIN_PAGE_LIFETIME
        claims: dict[str, Any] = {"aud": self._login_audience, "exp": int(expires_at.timestamp()), "r": asdict(request)}
        return pyjwt.encode(claims, self._installation.signing_key, algorithm="HS256")

    def unseal_from_login(self, sealed: str) -> AuthorizationRequest:
        """The request that a login form carries back.

        Raises:
            OAuthRefused: not signed here, or older than ten minutes.
        """
        try:
            claims = pyjwt.decode(
                sealed,
                self._installation.signing_key,
                algorithms=["HS256"],
                audience=self._login_audience,
                options={"require": ["exp", "r"], "verify_exp": False},
            )
        except pyjwt.PyJWTError as error:
            raise OAuthRefused("invalid_request", "OAU-102", "The login form did not come from this server") from error
        if claims["exp"] <= self._clock.now().timestamp():
            raise OAuthRefused(
                "invalid_request", "OAU-102", "The login page is too old; start again at the application"
            )
        return AuthorizationRequest(**claims["r"])

    @property
    def _login_audience(self) -> str:
        # Not the installation's id alone, or a login form could pass for a user's JWT.
        return f"{self._installation.id}/login"

    async def issue(self, request: AuthorizationRequest, application: Application, user: Extension) -> Redirect:
        """A code for this user, on its way to the application."""
        code = new_secret()
        await self._store.save_code(
            AuthorizationCode(
                code_hash=hash_secret(code),
                client_id=application.client_id,
                extension_id=user.id,
                redirect_uri=request.redirect_uri,
                redirect_uri_given=request.redirect_uri_given,
                scope=application.permissions,
                code_challenge=request.code_challenge,
                code_challenge_method=request.code_challenge_method,
                expires_at=self._clock.now() + CODE_LIFETIME,
            )
        )
        seconds = str(int(CODE_LIFETIME.total_seconds()))
        return Redirect(with_query(request.redirect_uri, _answer(request.state, code=code, expires_in=seconds)))

    async def take(self, code: str) -> AuthorizationCode:
        """The code's record, once: it is gone afterwards, whatever comes of it."""
        record = await self._store.take_code(hash_secret(code))
        if record is None:
            raise OAuthRefused("invalid_grant", "OAU-106", "Invalid authorization code")
        return record

    def judge(self, code: AuthorizationCode, application: Application, form: Mapping[str, str]) -> None:
        """Whether the token request fits the code.

        Raises:
            OAuthRefused: OAU-110 another application's, OAU-108 expired, OAU-109 other redirect URI, OAU-106 PKCE.
        """
        if code.client_id != application.client_id:
            raise _refused("OAU-110", "Authorization code was not issued for this application")
        if code.expires_at <= self._clock.now():
            raise _refused("OAU-108", "Authorization code is expired")
        redirect_uri = form.get("redirect_uri")
        if redirect_uri != code.redirect_uri and (redirect_uri is not None or code.redirect_uri_given):
            raise _refused("OAU-109", "Redirect URIs do not match")
        verifier = form.get("code_verifier")
        if code.code_challenge is None:
            if verifier is not None:
                raise _refused("OAU-106", "Parameter [code_verifier] is given, but the code was asked for without PKCE")
        elif verifier is None or not proves(verifier, code.code_challenge, code.code_challenge_method):
            raise _refused("OAU-106", "Parameter [code_verifier] does not belong to the code's challenge")


def _redirect_uri(application: Application, given: str | None) -> str:
    registered = application.redirect_uris
    if not registered:
        raise OAuthRefused("invalid_request", "OAU-113", "No redirect uri is registered for the client")
    if given is None:
        if len(registered) > 1:
            raise OAuthRefused(
                "invalid_request", "CMN-101", "Parameter [redirect_uri] is missing: several are registered"
            )
        return registered[0]
    if given not in registered:
        raise OAuthRefused(
            "invalid_request", "OAU-109", "Parameter [redirect_uri] is not one that the client registered"
        )
    return given


def _answer(state: str | None, **parameters: str) -> dict[str, str]:
    return parameters if state is None else parameters | {"state": state}


def _refused(code: str, description: str) -> OAuthRefused:
    return OAuthRefused("invalid_grant", code, description)
