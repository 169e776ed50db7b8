"""What the OpenAPI document says of the OAuth endpoints, whose forms are read by hand (`wire/oauth.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.security.http import HTTPBase

from bellwire.api.problems import OAuthErrorEnvelope, Responses
from bellwire.model.identity import Grant
from bellwire.wire.oauth import max_length

FORM = "application/x-www-form-urlencoded"

CLIENT = HTTPBase(
    scheme="basic",
    scheme_name="clientSecret",
    description="An application's client id and secret. They may be sent in the form instead; a public client sends "
    "its `client_id` alone.",
    auto_error=False,
)
"""Names the scheme; it is read by `wire.oauth.client_credentials`."""
_MAY_BE_IN_FORM: dict[str, Any] = {"security": [{}]}

_CLIENT_FIELDS = ("client_id", "client_secret")
_SESSION_FIELDS = ("scope", "endpoint_id", "access_token_ttl", "refresh_token_ttl", *_CLIENT_FIELDS)
_GRANTS = {
    Grant.JWT_BEARER: (("assertion",), ()),
    Grant.PASSWORD: (("username", "password"), ("extension",)),
    Grant.AUTHORIZATION_CODE: (("code",), ("redirect_uri", "code_verifier")),
    Grant.REFRESH_TOKEN: (("refresh_token",), ()),
}
"""Each grant's fields, required and optional ones."""
_AUTHORIZE_FIELDS = (
    *("redirect_uri", "state", "scope", "display", "prompt", "ui_locales"),
    *("code_challenge", "code_challenge_method", "nonce", "login_hint", "brand_id"),
)
_TEXTS = {
    "assertion": "A JWT of the user",
    "username": "A user name, or a phone number with its plus",
    "extension": "The extension number, where `username` is the company's number",
    "code_verifier": "PKCE's verifier",
    "scope": "Permissions that the session is limited to, separated by blanks",
    "endpoint_id": "The client's name for its device; chosen if absent",
    "access_token_ttl": "Seconds; 600 to 3600, and what is beyond is brought within",
    "refresh_token_ttl": "Seconds; 604800 at most",
    "redirect_uri": "One that the application registered; needed if there are several",
    "state": "Sent back as it is",
    "code_challenge": "PKCE's challenge; a public client has to send one",
    "code_challenge_method": "`plain` (the default) or `S256`",
    "prompt": "`none`: answer with an error rather than a page",
    "login_hint": "A user name to begin with",
    "login_state": "From the page's form; good for ten minutes",
    "decision": "`cancel` goes back to the application",
}

AUTHORIZE_ANSWERS: Responses = {
    200: {"description": "The login page", "content": {"text/html": {"schema": {"type": "string"}}}},
    302: {
        "description": "Back to the application with a code or an error",
        "headers": {"Location": {"required": True, "schema": {"type": "string", "format": "uri"}}},
    },
    400: {
        "description": "Refused, and there is nowhere to redirect to; or the login did not succeed",
        "model": OAuthErrorEnvelope,
        "content": {"text/html": {"schema": {"type": "string"}}},
    },
}


def token_request() -> dict[str, Any]:
    """One form for each grant."""
    forms = [_grant_form(grant, required, optional) for grant, (required, optional) in _GRANTS.items()]
    return _form_body({"anyOf": forms}) | _MAY_BE_IN_FORM


def revoke_request() -> dict[str, Any]:
    """The token in the form, or in the query."""
    form = _object((), ("token", *_CLIENT_FIELDS))
    return _form_body(form, required=False) | _MAY_BE_IN_FORM | {"parameters": [_parameter("token")]}


def authorize_query() -> dict[str, Any]:
    required = [_parameter("client_id", required=True), _parameter("response_type", required=True, enum=["code"])]
    return {"parameters": [*required, *map(_parameter, _AUTHORIZE_FIELDS)]}


def authorize_form() -> dict[str, Any]:
    """What the query may hold, or what the login page sends."""
    asked = _object(("client_id", "response_type"), _AUTHORIZE_FIELDS)
    asked["properties"]["response_type"]["enum"] = ["code"]
    login = _object(("login_state",), ("username", "extension", "password", "decision"))
    return _form_body({"anyOf": [asked, login]})


def _grant_form(grant: Grant, required: Sequence[str], optional: Sequence[str]) -> dict[str, Any]:
    form = _object(("grant_type", *required), (*optional, *_SESSION_FIELDS))
    form["properties"]["grant_type"] = {"type": "string", "enum": [grant.value]}
    return form


def _form_body(schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"requestBody": {"required": required, "content": {FORM: {"schema": schema}}}}


def _object(required: Sequence[str], optional: Sequence[str]) -> dict[str, Any]:
    form: dict[str, Any] = {
        "type": "object",
        "properties": {name: _field(name, min_length=1) for name in required}
        | {name: _field(name) for name in optional},
    }
    return form | ({"required": list(required)} if required else {})


def _field(name: str, *, min_length: int = 0) -> dict[str, Any]:
    field: dict[str, Any] = {"type": "string", "maxLength": max_length(name)}
    if min_length:
        field["minLength"] = min_length
    if name in _TEXTS:
        field["description"] = _TEXTS[name]
    return field


def _parameter(name: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    field = _field(name, min_length=int(required))
    text = field.pop("description", None)
    described = {} if text is None else {"description": text}
    return {"name": name, "in": "query", "required": required, "schema": field | schema} | described
