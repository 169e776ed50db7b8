"""JWTs that are given out to log in as one user, and their way back (wire contract, 1.3).

Bellwire's own: HS256 with the installation's key, `sub` the extension, `aud` the installation, `jti` the stored
credential, and `exp` and `client_ids` where limited. What is stored decides, so that a revoked one is worth nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import jwt as pyjwt

from bellwire.engine.secrets import new_secret
from bellwire.errors import OAuthRefused
from bellwire.model.identity import Application, JwtCredential
from bellwire.model.ids import ClientId, ExtensionId
from bellwire.ports.clock import Clock
from bellwire.ports.identity import CredentialStore, Installation

_ALGORITHM = "HS256"
_MAX_LABEL = 128


class UserJwts:
    """Mints JWTs and checks those that come back."""

    def __init__(self, *, credentials: CredentialStore, installation: Installation, clock: Clock) -> None:
        self._credentials = credentials
        self._installation = installation
        self._clock = clock

    def mint_jwt(
        self,
        extension: ExtensionId,
        *,
        client_ids: Sequence[ClientId] = (),
        expires_at: datetime | None = None,
        label: str = "",
    ) -> tuple[str, JwtCredential]:
        """Make a JWT that logs in as `extension`.

        Args:
            client_ids: the applications that may use it; none means all.
            expires_at: aware; None means never.
            label: for people; cut at 128 characters.

        Returns:
            the token, which is shown once, and its credential, which the caller saves: the token is good from then on.
        """
        now = self._clock.now()
        credential = JwtCredential(
            jti=new_secret(18),
            extension_id=extension,
            label=label[:_MAX_LABEL],
            created_at=now,
            client_ids=tuple(client_ids),
            expires_at=expires_at,
        )
        claims: dict[str, Any] = {
            "sub": extension,
            "aud": self._installation.id,
            "jti": credential.jti,
            "iat": int(now.timestamp()),
        }
        if expires_at is not None:
            claims["exp"] = int(expires_at.timestamp())
        if client_ids:
            claims["client_ids"] = list(client_ids)
        return pyjwt.encode(claims, self._installation.signing_key, algorithm=_ALGORITHM), credential

    def credential_of(self, token: str, *, label: str) -> JwtCredential:
        """The credential of a token of ours that was given out, where its record was thrown away; expiry apart."""
        claims = pyjwt.decode(
            token,
            self._installation.signing_key,
            algorithms=[_ALGORITHM],
            audience=self._installation.id,
            options={"verify_iat": False, "verify_exp": False, "verify_nbf": False},
        )
        return JwtCredential(
            jti=claims["jti"],
            extension_id=ExtensionId(claims["sub"]),
            label=label,
            created_at=datetime.fromtimestamp(claims["iat"], UTC),
            client_ids=tuple(map(ClientId, claims.get("client_ids", ()))),
        )

    async def user_of(self, assertion: str, application: Application) -> ExtensionId:
        """Whose JWT this is.

        Raises:
            OAuthRefused: not ours, changed, expired, revoked, or not for this application (invalid_grant, OAU-140).
        """
        try:
            # Times are compared below, by the injected clock and not by the library's.
            claims = pyjwt.decode(
                assertion,
                self._installation.signing_key,
                algorithms=[_ALGORITHM],
                audience=self._installation.id,
                options={
                    "require": ["sub", "aud", "jti"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except pyjwt.PyJWTError as error:
            raise _refused(f"The JWT is not one of this server: {error}") from error
        credential = await self._credentials.jwt(str(claims["jti"]))
        if credential is None or credential.extension_id != claims["sub"]:
            raise _refused("The JWT is not known any more")
        if credential.revoked:
            raise _refused("The JWT is revoked")
        if self._is_over(credential, claims.get("exp")):
            raise _refused("The JWT is expired")
        if credential.client_ids and application.client_id not in credential.client_ids:
            raise _refused("The JWT is not for this application")
        return credential.extension_id

    def _is_over(self, credential: JwtCredential, exp: Any) -> bool:
        now = self._clock.now()
        if credential.expires_at is not None and credential.expires_at <= now:
            return True
        return isinstance(exp, int | float) and datetime.fromtimestamp(exp, UTC) <= now


def _refused(description: str) -> OAuthRefused:
    return OAuthRefused("invalid_grant", "OAU-140", description)
