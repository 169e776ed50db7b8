"""What no client would send, to every operation there is, as bytes on a socket: each gets an answer in our own form.

No 5xx, no empty or plain-text refusal, no hang. What a refusal says of which field is looked at in a few cases.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from bellwire.api.openapi import OPENAPI_PATH
from tests.e2e.in_process import Running, running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"
DEEP = 20_000
BODIES = {
    "nothing": b"",
    "null": b"null",
    "a number": b"1",
    "a text": b'"x"',
    "an array": b"[[[]]]",
    "an empty object": b"{}",
    "half an object": b"{",
    "an object and more": b"{} x",
    "no number": b'{"expiresIn":NaN,"rateLimitFactor":NaN}',
    "infinity": b'{"expiresIn":1e999,"rateLimitFactor":-1e999}',
    "a number of 400 digits": b'{"expiresIn":' + b"9" * 400 + b"}",
    "a number of 6,000 digits": b'{"expiresIn":' + b"9" * 6000 + b"}",
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "NUL": b'{"eventFilters":["\\u0000"],"companyName":"\\u0000","label":"\\u0000","event":"\\u0000"}',
    "a raw NUL": b'{"label":"\x00"}',
    "half characters": b'{"eventFilters":["\\ud800"],"companyName":"\\ud800","label":"\\ud800","event":"\\ud800"}',
    "half a character as name": b'{"\\ud800":1}',
    "no UTF-8": b'{"label":"\xff\xfe"}',
    "UTF-16": '{"label":"x"}'.encode("utf-16"),
    "names given twice": b'{"companyName":"a","companyName":1,"eventFilters":1,"eventFilters":[]}',
    "a long name": b'{"' + b"k" * 100_000 + b'":1}',
    "a thousand wrong items": b'{"eventFilters":[' + b"1," * 1000 + b'1],"redirectUris":[' + b"1," * 1000 + b"1]}",
    "a form": b"grant_type=%00&grant_type=%ff&client_id=%ed%a0%80&a=%",
    "a form of many fields": b"a=1&" * 5000,
}
MEDIA_TYPES = [
    b"",
    b"text/plain",
    b"application/json; charset=utf-16",
    b"multipart/form-data",
    b"\xff\xfe",
    FORM,
    b"a/b+json",
]
PLACES = [b"%00", b"%ff%fe", b"%ed%a0%80", b"..", b"%2e%2e", b"%2f", b"%0d%0a", b"x" * 9000, b"~", b"%", b"%zz", b"-1"]
QUERIES = [
    b"page=99999999999999999999999&limit=99999999999999999999999",
    b"page=1e5&perPage=-1&limit=0&cursor=%00",
    b"perPage=" + b"9" * 5000 + b"&limit=" + b"9" * 5000,
    b"status=%00&extensionNumber=%00%ff&token=%ff",
    b"a=1&" * 2000,
    b"%&=&%ff=%fe",
    b"_method=TRACE",
    b"client_id=%00&response_type=%ed%a0%80",
    b"client_id=bellwire-demo&response_type=code&login_hint=%ed%a0%80%00%3Cscript%3E&state=%ff",
]
METHODS = [b"HEAD", b"OPTIONS", b"TRACE", b"QUERY", b"PATCH", b"PROPFIND", b"CONNECT", b"FOO", b"get"]
HEADERS = [
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: Bearer " + b"x" * 60_000,
    b"Authorization: Basic %%%",
    b"Authorization: Basic /////w==",
    b"Authorization: Digest x",
    b"Authorization:",
    b"Host: a b",
    b"X-Forwarded-For: " + b"1," * 5000,
    b"Content-Length: 1e3",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999999",
    b"Transfer-Encoding: gzip",
    b"RCRequestId: \xff",
    b"Origin: null\r\nAccess-Control-Request-Method: \xff",
    b"X-HTTP-Method-Override: \xff",
    b"Idempotency-Key: \xff",
    b"Upgrade: websocket\r\nConnection: upgrade, close",
    b"Expect: nonsense",
    b"X: \x00",
]


@dataclass(frozen=True, slots=True)
class Operation:
    method: bytes
    path: str
    reads_body: bool
    credentials: bytes

    @property
    def target(self) -> bytes:
        """A path that would do, of records that are not there: nothing is to come to harm."""
        return re.sub(r"\{\w+\}", "1", self.path.replace("{accountId}/ext", "~/ext")).encode()

    @property
    def media_type(self) -> bytes:
        return FORM if "/oauth/" in self.path else JSON

    def request(
        self,
        *,
        method: bytes | None = None,
        target: bytes | None = None,
        body: bytes = b"",
        media_type: bytes | None = None,
        header: bytes = b"",
    ) -> bytes:
        media_type = self.media_type if media_type is None else media_type
        lines = [
            (method or self.method) + b" " + (target or self.target) + b" HTTP/1.1",
            *([] if b"Host:" in header else [b"Host: a"]),
            *([] if b"Authorization:" in header else [self.credentials]),
            *([] if b"Connection:" in header else [b"Connection: close"]),
            *([b"Content-Type: " + media_type] if media_type else []),
            *([] if b"Content-Length:" in header or b"Transfer-" in header else [b"Content-Length: %d" % len(body)]),
            *([header] if header else []),
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Stage:
    running: Running
    port: int
    operations: list[Operation]

    async def exchange(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()

    async def trouble_with(self, requests: dict[str, bytes]) -> list[str]:
        """What is wrong with the answers; the requests are made twenty at a time."""
        turns = asyncio.Semaphore(20)

        async def look(name: str, request: bytes) -> str | None:
            async with turns, asyncio.timeout(20):
                answer = await self.exchange(request)
            wrong = _trouble(answer, has_body=not request.startswith(b"HEAD"))
            return None if wrong is None else f"{name}: {wrong}: {answer[:300]!r}"

        found = await asyncio.gather(*(look(name, request) for name, request in requests.items()))
        return [each for each in found if each is not None]


def _trouble(answer: bytes, *, has_body: bool) -> str | None:
    if not answer.startswith(b"HTTP/1.1 "):
        return "no answer"
    status = int(answer[9:12])
    if status >= 500 and status != 501:
        return "server error"
    if status < 400 or not has_body:
        return None
    try:
        document = json.loads(answer.partition(b"\r\n\r\n")[2])
        first = document["errors"][0]
        is_right = (document["errorCode"], document["message"]) == (first["errorCode"], first["message"])
    except (ValueError, LookupError):
        return "not the envelope"
    return None if is_right and len(answer) < 20_000 else "not the envelope, or too long"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    # Not with development controls: among wild requests to all routes one would reset the server.
    async with running_server(tmp_path_factory.mktemp("wild"), dev=False) as running:
        document = (await running.http.get(OPENAPI_PATH)).json()
        token = (await running.token())["access_token"]
        port = urlsplit(running.url).port
        assert port is not None
        yield Stage(running, port, list(_operations(document, running, token)))


def _operations(document: dict[str, Any], running: Running, token: str) -> Iterator[Operation]:
    demo = running.demo
    basic = base64.b64encode(f"{demo.client_id}:{demo.client_secret}".encode()).decode()
    credentials = {
        "adminKey": f"Bearer {demo.admin_key}",
        "publisherKey": f"Bearer {demo.publisher_key}",
        "clientSecret": f"Basic {basic}",
        "accessToken": f"Bearer {token}",
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            schemes = [name for way in operation.get("security", []) for name in way]
            header = f"Authorization: {credentials[schemes[0] if schemes else 'accessToken']}".encode()
            yield Operation(method.upper().encode(), path, "requestBody" in operation, header)


async def test_bodies(stage: Stage) -> None:
    requests = {
        f"{o.method!r} {o.path} {name}": o.request(body=body)
        for o in stage.operations
        for name, body in BODIES.items()
        if o.reads_body or name in ("half an object", "deep arrays")
    }
    assert await stage.trouble_with(requests) == []


async def test_media_types(stage: Stage) -> None:
    requests = {
        f"{o.method!r} {o.path} {media_type!r}": o.request(body=b'{"a":1}', media_type=media_type)
        for o in stage.operations
        if o.reads_body
        for media_type in MEDIA_TYPES
    }
    assert await stage.trouble_with(requests) == []


async def test_paths(stage: Stage) -> None:
    requests = {
        f"{o.method!r} {o.path} {place[:20]!r}": o.request(
            target=re.sub(rb"\{\w+\}", place, o.path.encode()), body=b"{}"
        )
        for o in stage.operations
        if "{" in o.path
        for place in PLACES
    }
    assert await stage.trouble_with(requests) == []


async def test_queries(stage: Stage) -> None:
    requests = {
        f"{o.method!r} {o.path} {query[:40]!r}": o.request(target=o.target + b"?" + query)
        for o in stage.operations
        if o.method == b"GET" or "/oauth/" in o.path
        for query in QUERIES
    }
    assert await stage.trouble_with(requests) == []


async def test_methods(stage: Stage) -> None:
    there = {(o.method, o.path) for o in stage.operations}
    requests = {
        f"{method!r} {o.path}": o.request(method=method)
        for o in stage.operations
        for method in METHODS
        if (method, o.path) not in there
    }
    assert await stage.trouble_with(requests) == []


async def test_headers(stage: Stage) -> None:
    some = ("/restapi", "/restapi/v1.0/subscription", "/restapi/oauth/token", "/bellwire/v1/events")
    requests = {
        f"{o.method!r} {o.path} {header[:40]!r}": o.request(header=header)
        for o in stage.operations
        if o.path in some
        for header in HEADERS
    }
    assert await stage.trouble_with(requests) == []


@pytest.mark.parametrize(
    ("path", "body", "field", "reason"),
    [
        ("/restapi/v1.0/subscription", None, None, "The request body is invalid: it is required"),
        ("/restapi/v1.0/subscription", [], None, "The request body is invalid: a JSON object is expected"),
        ("/restapi/v1.0/subscription", {}, "eventFilters", "it is required"),
        ("/restapi/v1.0/subscription", {"eventFilters": [1], "deliveryMode": {}}, "eventFilters[0]", "valid string"),
        ("/restapi/v1.0/subscription", {"eventFilters": ["/x"], "deliveryMode": 1}, "deliveryMode", "a JSON object"),
        ("/bellwire/v1/admin/accounts", {"companyName": 1}, "companyName", "valid string"),
        ("/bellwire/v1/admin/accounts", {"companyName": "x", "nmae": 1}, "nmae", "not permitted"),
        ("/bellwire/v1/admin/accounts", {"companyName": "x", "k" * 500: 1}, "k" * 200, "not permitted"),
        ("/bellwire/v1/admin/applications", {"name": "x", "permissions": [], "isPublic": "no"}, "isPublic", "boolean"),
        ("/bellwire/v1/admin/applications", {"name": "x", "permissions": ["Fly"]}, "permissions[0]", "ReadAccounts"),
    ],
)
async def test_a_refusal_names_the_field_and_the_reason(
    stage: Stage, path: str, body: Any, field: str | None, reason: str
) -> None:
    operation = next(o for o in stage.operations if (o.path, o.method) == (path, b"POST"))
    content = b"" if body is None else json.dumps(body).encode()

    answer = await stage.exchange(operation.request(body=content))

    errors = json.loads(answer.partition(b"\r\n\r\n")[2])["errors"]
    of_field = [error for error in errors if error.get("parameterName") == field]
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert of_field, errors
    assert reason in of_field[0]["message"]
