"""A running server, as the commands that talk to one see it: where it is, who we are, and what it answers.

Where the credentials come from, the first that has them: an option, the data directory named by `--data`, the
environment (the names that `bellwire env` prints), and the data directory that `bellwire dev` uses by default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from bellwire.cli.data_directory import DEV_DIRECTORY, demo_environment
from bellwire.cli.failure import EXIT_USAGE, CommandFailed

ALIASES = {
    "RC_SERVER_URL": "RINGCENTRAL_SERVER_URL",
    "RC_APP_CLIENT_ID": "RINGCENTRAL_CLIENT_ID",
    "RC_APP_CLIENT_SECRET": "RINGCENTRAL_CLIENT_SECRET",
    "RC_USER_JWT": "RINGCENTRAL_JWT_TOKEN",
}
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAX_ERROR_CHARACTERS = 300


def known_variables(data: Path | None, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of `bellwire env`, from the sources in their order."""
    environ = os.environ if environ is None else environ
    if data is not None:
        return demo_environment(data)
    found = {name: environ[alias] for name, alias in ALIASES.items() if environ.get(alias)}
    found |= {name: value for name, value in environ.items() if value}
    if "RC_SERVER_URL" not in found and DEV_DIRECTORY.is_dir():
        return demo_environment(DEV_DIRECTORY) | found
    return found


def needed(variables: Mapping[str, str], name: str, option: str | None) -> str:
    """A variable that the command can't do without."""
    value = variables.get(name)
    if not value:
        given = f"{option}, --data or {name}" if option else f"--data or {name} (see `bellwire env`)"
        raise CommandFailed(f"give {given}", EXIT_USAGE)
    return value


class Remote:
    """An HTTP client of one server, that says in a sentence what did not work."""

    def __init__(self, server: str, token: str | None = None, *, timeout_seconds: float = 30.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        try:
            self._client = httpx.Client(base_url=server, headers=headers, timeout=timeout_seconds)
        except (httpx.InvalidURL, ValueError) as error:
            raise CommandFailed(f"{server} is not a server's URL: {error}", EXIT_USAGE) from None
        self._server = server

    @classmethod
    def with_key(cls, variables: Mapping[str, str], key_name: str, *, server: str | None, key: str | None) -> Self:
        """Authorized by a publisher or admin key."""
        key = key or needed(variables, key_name, "--key")
        return cls(server or needed(variables, "RC_SERVER_URL", "--server"), key)

    @classmethod
    def logged_in(cls, variables: Mapping[str, str], *, server: str | None) -> Self:
        """Authorized as the JWT's user, through the application of the client id."""
        url = server or needed(variables, "RC_SERVER_URL", "--server")
        client = (needed(variables, "RC_APP_CLIENT_ID", None), variables.get("RC_APP_CLIENT_SECRET", ""))
        form = {"grant_type": JWT_GRANT, "assertion": needed(variables, "RC_USER_JWT", None)}
        anonymous = cls(url)
        answer = anonymous.ask("POST", "/restapi/oauth/token", auth=client, data=form)
        return cls(url, answer.json()["access_token"])

    def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Make a request. Raises CommandFailed unless the answer is a success."""
        answer = self.send(method, path, **arguments)
        if not answer.is_success:
            raise CommandFailed(said(answer))
        return answer

    def send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Make a request, whatever it is answered. Raises CommandFailed when there is no answer."""
        try:
            return self._client.request(method, path, **arguments)
        except httpx.UnsupportedProtocol:
            raise CommandFailed(
                f"{self._server} is not a server's URL: it has to begin with http://", EXIT_USAGE
            ) from None
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise CommandFailed(f"no answer from {self._server}: {reason}") from None
        except httpx.InvalidURL as error:
            raise CommandFailed(f"{self._server} is not a server's URL: {error}", EXIT_USAGE) from None


def said(answer: httpx.Response) -> str:
    """What the server said was wrong, in one line."""
    try:
        content = answer.json()
        code, message = content.get("errorCode", ""), content["message"]
    except (ValueError, KeyError, AttributeError, TypeError):
        code, message = "", " ".join(answer.text.split())[:MAX_ERROR_CHARACTERS] or answer.reason_phrase
    return f"the server answered {answer.status_code} {code}: {message}".replace(" :", ":")
