"""Which application makes a request of the OAuth endpoints, and may it (wire contract, 1.2)."""

from __future__ import annotations

from bellwire.engine.secrets import same_secret
from bellwire.errors import OAuthRefused
from bellwire.model.directory import Extension, Status
from bellwire.model.identity import Application, Grant
from bellwire.model.ids import ClientId
from bellwire.ports.identity import Directory
from bellwire.wire.oauth import ClientCredentials


def authenticate_client(directory: Directory, credentials: ClientCredentials) -> Application:
    """The application that these credentials prove.

    A public client proves nothing and must show nothing; a confidential one must show its secret.

    Raises:
        OAuthRefused: unknown, disabled, or the wrong secret; one answer for all, so that nobody learns which ids exist.
    """
    readings = ((credentials.client_id, credentials.secret), *credentials.alternatives)
    for client_id, secret in readings:
        application = directory.application(ClientId(client_id))
        if application is not None and application.status is Status.ENABLED and _proves(application, secret):
            return application
    raise OAuthRefused("invalid_client", "OAU-146", "Invalid client credentials")


def _proves(application: Application, secret: str | None) -> bool:
    if application.secret_hash is None:
        return not secret
    return secret is not None and same_secret(secret, application.secret_hash)


def require_grant(application: Application, grant: Grant) -> None:
    if grant not in application.grants:
        raise OAuthRefused(
            "unauthorized_client", "OAU-112", f"The client is unauthorized for the required grant type: [{grant.value}]"
        )


def why_not_signed_in(directory: Directory, extension: Extension | None, application: Application) -> str | None:
    """Why this user may not be signed in to this application now; None: it may."""
    if extension is None:
        return "The extension does not exist any more"
    account = directory.account(extension.account_id)
    if account is None or account.status is not Status.ENABLED:
        return "Login to an account in its current state is not allowed"
    if extension.status is not Status.ENABLED:
        return "Login for an extension in its current state is not allowed"
    if application.status is not Status.ENABLED:
        return "The application is disabled"
    if application.account_id not in (None, extension.account_id):
        return "The application is not open to users of this account"
    return None
