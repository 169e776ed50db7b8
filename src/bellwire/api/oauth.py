"""The OAuth endpoints: token, revoke, authorize (wire contract, section 1)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Security
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from bellwire.api.authentication import Authenticator
from bellwire.api.login_page import login_answer, refusal_answer, require_same_site
from bellwire.api.model import ApiModel
from bellwire.api.oauth_document import (
    AUTHORIZE_ANSWERS,
    CLIENT,
    FORM,
    authorize_form,
    authorize_query,
    revoke_request,
    token_request,
)
from bellwire.api.problems import OAuthErrorEnvelope, documented
from bellwire.api.public_url import PublicUrl
from bellwire.api.routing import api_router
from bellwire.engine.authorize import Authorization, LoginFailed, LoginPage
from bellwire.engine.authorize_codes import Redirect
from bellwire.engine.authorize_sessions import GrantedTokens
from bellwire.errors import InvalidRequest, UnsupportedMedia
from bellwire.wire.oauth import parse_form

_NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class TokenInfo(ApiModel):
    """Tokens granted to a user of an application."""

    access_token: str
    token_type: str = Field(pattern="^bearer$")
    expires_in: int = Field(ge=0)
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None
    scope: str
    owner_id: str
    endpoint_id: str
    session_id: str


def oauth_routes(*, authorization: Authorization, authenticator: Authenticator, public_url: PublicUrl) -> APIRouter:
    """`/restapi/oauth/token`, `/revoke` and `/authorize`."""
    router = api_router("/restapi/oauth", tag="OAuth")

    @router.post(
        "/token",
        response_model=TokenInfo,
        response_model_exclude_none=True,
        responses=documented(400, model=OAuthErrorEnvelope) | documented(413, 415, 429, 503),
        dependencies=[Security(CLIENT)],
        openapi_extra=token_request(),
    )
    async def get_token(request: Request) -> Response:
        """Grant tokens for a user, by any of the grants, or refresh them."""
        form = parse_form(await _form(request))
        granted = await authorization.token(
            form,
            request.headers.get("authorization"),
            authenticator.admit(request),
            address=authenticator.rate_key(request),
        )
        return JSONResponse(_token_info(granted).model_dump(exclude_none=True), headers=_NOT_STORED)

    @router.post(
        "/revoke",
        response_class=Response,
        responses={200: {"description": "The session is ended, or there was none"}}
        | documented(400, model=OAuthErrorEnvelope)
        | documented(413, 415, 429),
        dependencies=[Security(CLIENT)],
        openapi_extra=revoke_request(),
    )
    async def revoke_token(request: Request) -> Response:
        """End the session of an access or refresh token, with all its tokens."""
        encoded = await _form(request, may_be_empty=True)
        in_query = parse_form(request.url.query.encode("ascii", "replace"))
        await authorization.revoke(
            parse_form(encoded),
            in_query.get("token"),
            request.headers.get("authorization"),
            authenticator.admit(request),
        )
        return Response(headers=_NOT_STORED)

    @router.get(
        "/authorize",
        response_class=Response,
        responses=AUTHORIZE_ANSWERS | documented(429),
        openapi_extra=authorize_query(),
    )
    async def authorize(request: Request) -> Response:
        """Show the login page for an application."""
        return await _begin(request, request.url.query.encode("ascii", "replace"))

    @router.post(
        "/authorize",
        response_class=Response,
        responses=AUTHORIZE_ANSWERS | documented(413, 415, 429, 503),
        openapi_extra=authorize_form(),
    )
    async def authorize_by_form(request: Request) -> Response:
        """Show the login page for an application; or, with `login_state`, log in at it."""
        encoded = await _form(request)
        try:
            form = parse_form(encoded)
            if "login_state" not in form:
                return await _begin(request, encoded)
            require_same_site(request, public_url.base(request))
            match await authorization.log_in(
                form, authenticator.admit(request), address=authenticator.rate_key(request)
            ):
                case Redirect(uri):
                    return _redirect(uri)
                case LoginFailed() as failed:
                    return login_answer(failed.page, form, message=failed.message)
        except InvalidRequest as refused:
            return refusal_answer(request, refused)

    async def _begin(request: Request, encoded: bytes) -> Response:
        try:
            form = parse_form(encoded)
            match authorization.login_page(form, authenticator.admit(request)):
                case Redirect(uri):
                    return _redirect(uri)
                case LoginPage() as page:
                    return login_answer(page, form)
        except InvalidRequest as refused:
            return refusal_answer(request, refused)

    return router


async def _form(request: Request, *, may_be_empty: bool = False) -> bytes:
    """The body of a form.

    Raises:
        UnsupportedMedia: the body is of another type (wire contract, 1.2).
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if media != FORM and (body or not may_be_empty):
        raise UnsupportedMedia("CMN-104", f"The body's Content-Type has to be {FORM}")
    return body


def _token_info(granted: GrantedTokens) -> TokenInfo:
    session = granted.session
    return TokenInfo(
        access_token=granted.access_token,
        token_type="bearer",  # noqa: S106 - the type's name
        expires_in=granted.expires_in,
        refresh_token=granted.refresh_token,
        refresh_token_expires_in=granted.refresh_token_expires_in,
        scope=" ".join(sorted(session.scope)),
        owner_id=session.extension_id,
        endpoint_id=session.endpoint_id,
        session_id=session.id,
    )


def _redirect(uri: str) -> Response:
    return Response(status_code=302, headers={"Location": uri, "Referrer-Policy": "no-referrer"} | _NOT_STORED)
