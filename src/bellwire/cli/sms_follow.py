"""A batch on its way, as the commands see it: they ask again until it has arrived, over restarts and log-ins."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwire.cli.failure import CommandFailed, complain

if TYPE_CHECKING:
    import httpx

A2P = "/restapi/v1.0/account/~/a2p-sms"
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
"""How long a server may be away before a command gives up on it."""
UPLOAD_TIMEOUT_SECONDS = 600.0
PER_PAGE = 1000
MAX_REJECTED_SHOWN = 20
FINAL = frozenset({"Delivered", "SendingFailed", "DeliveryFailed"})

FromOption = Annotated[
    str | None, typer.Option("--from", metavar="NUMBER", help="Your number, else BELLWIRE_A2P_NUMBER.")
]


def sender_of(variables: Mapping[str, str], given: str | None) -> str:
    """The number to send from."""
    from bellwire.cli.remote import needed

    return given or needed(variables, "BELLWIRE_A2P_NUMBER", "--from")


class Followed:
    """The compatible API as one user; logs in when it is first needed, and again when the token has expired."""

    def __init__(self, variables: Mapping[str, str], server: str | None) -> None:
        from bellwire.cli.remote import Remote

        def log_in() -> Remote:
            return Remote.logged_in(variables, server=server)

        self._log_in = log_in
        self._remote = log_in()

    def post(self, path: str, **arguments: Any) -> dict[str, Any]:
        """Ask for a change, once: whether a broken-off one has happened can't be known."""
        answer = self._remote.ask("POST", path, timeout=UPLOAD_TIMEOUT_SECONDS, **arguments)
        body: dict[str, Any] = answer.json()
        return body

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Read, and try again while the server is away or asks for patience."""
        until = time.monotonic() + PATIENCE_SECONDS
        told = False
        while True:
            try:
                answer = self._remote.send("GET", path, params=query)
                if answer.status_code == 401:
                    self._remote = self._log_in()
                    answer = self._remote.send("GET", path, params=query)
            except CommandFailed as away:
                problem, pause = str(away), LONGEST_PAUSE_SECONDS
            else:
                if answer.is_success:
                    body: dict[str, Any] = answer.json()
                    return body
                problem, pause = _refusal(answer)
            if time.monotonic() + pause > until:
                raise CommandFailed(problem)
            if not told:
                complain(f"{problem}; trying again")
                told = True
            time.sleep(pause)

    def batch(self, batch_id: str) -> dict[str, Any]:
        return self.get(f"{A2P}/batches/{batch_id}")

    def records(self, path: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All records of a list, over as many pages as it takes."""
        page = self.get(path, {**query, "perPage": PER_PAGE})
        records: list[dict[str, Any]] = page["records"]
        while token := page["paging"].get("nextPageToken"):
            page = self.get(path, {"pageToken": token})
            records += page["records"]
        return records

    def until_completed(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The batch, again and again, the last time when it is completed."""
        for _ in pauses():
            batch = self.batch(batch["id"])
            yield batch
            if batch["status"] == "Completed":
                return


def pauses() -> Iterator[None]:
    """Comes back after longer and longer pauses, at once the first time; without end."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def final_messages(followed: Followed, batch: dict[str, Any], wait: float) -> list[dict[str, Any]]:
    """The messages of a small batch, once all have arrived or failed, or as they are when the time is over."""
    until = time.monotonic() + wait
    query = {"batchId": batch["id"]}
    for _ in pauses():
        messages = followed.records(f"{A2P}/messages", query)
        if time.monotonic() >= until or all(message["messageStatus"] in FINAL for message in messages):
            return messages
    raise AssertionError("pauses have no end")


def print_rejected(rejected: list[dict[str, Any]]) -> None:
    """Entries of a request that were not accepted; the first ones where there are many."""
    for entry in rejected[:MAX_REJECTED_SHOWN]:
        numbers = ", ".join(map(str, entry["to"]))
        typer.echo(f"  entry {entry['index']} ({numbers}): {entry['errorCode']} {entry['description']}")
    if len(rejected) > MAX_REJECTED_SHOWN:
        typer.echo(f"  … and {len(rejected) - MAX_REJECTED_SHOWN} more")


def _refusal(answer: httpx.Response) -> tuple[str, float]:
    """What the server said, and how long to wait before it is asked again.

    Raises:
        CommandFailed: asking again is of no use.
    """
    from bellwire.cli.remote import said

    if answer.status_code not in {429, 503}:
        raise CommandFailed(said(answer))
    asked = answer.headers.get("Retry-After", "")
    return said(answer), float(asked) if asked.isascii() and asked.isdigit() else LONGEST_PAUSE_SECONDS
