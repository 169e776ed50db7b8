from __future__ import annotations

from typing import Any

import pytest

from bellwire.wire.gateway.frames import ClientRequest
from bellwire.wire.gateway.requests import headers_of, path_of, query_of, raw_path_of, refused_request


def request(path: str, **fields: Any) -> ClientRequest:
    made: dict[str, Any] = {"method": "GET", "query": {}, "headers": {}, "body": b"", **fields}
    return ClientRequest(message_id="m", path=path, **made)


@pytest.mark.parametrize(
    "path",
    [
        "/restapi/oauth/token",
        "//restapi/oauth/token",
        "/restapi/%6Fauth/token",
        "restapi/oauth/revoke",
        "/restapi/v1.0/../../bellwire/v1/events",
        "/restapi/..",
        "/bellwire/v1/events",
        "/metrics",
        "/ws",
        "http://elsewhere/restapi/v1.0",
    ],
)
def test_paths_that_are_for_http_alone(path: str) -> None:
    assert refused_request(request(path)) is not None


@pytest.mark.parametrize(
    "path", ["/restapi/v1.0/subscription/", "//restapi/v1.0/account/~", "/team-messaging/v1/x?a=b"]
)
def test_paths_that_may_be_called(path: str) -> None:
    assert refused_request(request(path)) is None


def test_methods_and_bodies_that_are_for_http_alone() -> None:
    assert refused_request(request("/restapi/v1.0", method="TRACE")) is not None
    assert refused_request(request("/restapi/v1.0", headers={"content-type": "multipart/mixed"})) is not None
    assert refused_request(request("/restapi/v1.0", headers={"content-type": "application/json; charset=x"})) is None


def test_a_query_of_the_path_and_one_of_the_frame_are_put_together() -> None:
    made = request("/restapi/v1.0/x?a=%2B1&b=+2", query={"c": ["1", 2], "d": True, "e": None, "f": "+1 &"})
    assert query_of(made) == b"a=%2B1&b=+2&c=1&c=2&d=true&f=%2B1+%26"
    assert path_of(made) == "/restapi/v1.0/x"


def test_a_path_is_decoded_for_the_application_and_kept_beside() -> None:
    made = request("/restapi/v1.0/a%20b/é")
    assert path_of(made) == "/restapi/v1.0/a b/é"
    assert raw_path_of(made) == b"/restapi/v1.0/a%20b/%C3%A9"


def test_headers_that_say_who_asks_do_not_pass() -> None:
    written = {
        "authorization": "Bearer x",
        "cookie": "a",
        "x-forwarded-for": "1.2.3.4",
        "x-user-agent": "sdk",
        "host": "h",
    }
    assert dict(headers_of(request("/restapi", headers=written))) == {
        b"x-user-agent": b"sdk",
        b"content-type": b"application/json",
    }
    assert (b"accept", b"a") not in headers_of(request("/restapi", headers={"accept": "a\r\nb: c"}))
