"""The server's HTTP API as the plugin uses it: JSON over the standard library, past any proxy, with plain errors."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_SECONDS = 30.0


class ApiError(AssertionError):
    """The server refused a request; `status`, `code` and `message` are its own."""

    def __init__(self, method: str, path: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{method} {path} was answered {status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class ApiClient:
    """Asks one server. A connection for each request: there are few, and none outlives a reset."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        content: object = None,
        form: Mapping[str, str] | None = None,
        login: str | None = None,
        raw: bytes | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Any:
        """The answer's JSON; None where it has no body.

        Args:
            token: bearer token.
            content, form, raw: the body, as JSON, as a form, or as it is.
            login: Base64 of client id and secret.

        Raises:
            ApiError: the answer is no success.
            OSError: there is no answer.
        """
        __tracebackhide__ = True
        headers = {"Accept": "application/json"}
        body: bytes | None = raw
        if content is not None:
            body = json.dumps(content).encode()
            headers["Content-Type"] = "application/json"
        elif form is not None:
            body = urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        elif login is not None:
            headers["Authorization"] = f"Basic {login}"
        target = f"{path}?{urlencode(query)}" if query else path
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: no whole answer ({error!r})") from error
        finally:
            connection.close()
        found = _decoded(text)
        if not 200 <= status < 300:
            said = found if isinstance(found, dict) else {}
            raise ApiError(method, path, status, str(said.get("errorCode", "")), str(said.get("message", text[:200])))
        return found


def _decoded(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
