"""What the fixture `bellwire` gives to a test: a server, with all that one does to it from outside."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bellwire.testing.api_client import ApiClient
from bellwire.testing.embedded import EmbeddedServer
from bellwire.testing.webhook import ReceiverThread, Webhook
from bellwire.testing.why_not import why_nothing_came

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
A_RECIPIENT = "+16505550142"
"""Who texts, where a test does not care."""
WEBINAR_PREFIX = "/webinar/"
_DEV = "/bellwire/v1/dev"
_SETTLE_SECONDS = 10.0


class Rejected(AssertionError):
    """An event that the server did not take; says which, and why."""


class Bellwire:
    """A running server with a demo account, as at its first start; the next test has it so again."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._api: ApiClient = server.api
        self._thread: ReceiverThread | None = None
        self._webhooks: list[Webhook] = []
        self._token: str | None = None
        self.env: dict[str, str] = dict(server.env)
        """The names that `bellwire env` prints: server, application, user and keys, for SDKs and programs."""
        self.url: str = server.url
        """Base URL of the server."""
        self.clock = Clock(self._api)
        self.faults = Faults(self._api)
        self.sms = Sms(self._api, self.env)

    @property
    def account_id(self) -> str:
        """Of the demo account, which `~` stands for."""
        return self.env["BELLWIRE_ACCOUNT_ID"]

    @property
    def extension_id(self) -> str:
        """Of the demo user, who is an administrator."""
        return self.env["BELLWIRE_EXTENSION_ID"]

    def publish(
        self,
        event: str | Mapping[str, Any] | Sequence[Mapping[str, Any]],
        body: Mapping[str, Any] | None = None,
        *,
        uuid: str | None = None,
        timestamp: str | None = None,
        audience: Sequence[str] | None = None,
    ) -> None:
        """Publish an event: `publish(topic, body)`; or one or several whole events, as the API takes them.

        In a topic, `~` stands for the demo account and the demo user.

        Raises:
            Rejected: the server did not take all of them.
        """
        __tracebackhide__ = True
        if isinstance(event, str):
            fields = {"uuid": uuid, "timestamp": timestamp, "audience": None if audience is None else list(audience)}
            whole: dict[str, Any] = {"event": event, "body": dict(body or {})}
            events = [whole | {name: value for name, value in fields.items() if value is not None}]
        else:
            events = [dict(event)] if isinstance(event, Mapping) else [dict(one) for one in event]
        for one in events:
            one["event"] = self.topic(str(one.get("event", "")))
        key = self.env["BELLWIRE_PUBLISHER_KEY"]
        summary = self._api.ask("POST", "/bellwire/v1/events", token=key, content=events)
        if summary["rejectedCount"]:
            lines = [f"  event {one['index']}: {one['errorCode']} {one['message']}" for one in summary["rejected"]]
            raise Rejected("\n".join([f"{summary['rejectedCount']} of {len(events)} events were rejected", *lines]))

    def topic(self, path: str) -> str:
        """A topic with the demo account's and user's ids in the place of `~`."""
        bare, question_mark, query = path.partition("?")
        segments = bare.split("/")
        for at, segment in enumerate(segments):
            if segment == "~" and at:
                own = self.extension_id if segments[at - 1].startswith("extension") else self.account_id
                segments[at] = own
        return "/".join(segments) + question_mark + query

    def sample(self, family: str, **changes: Any) -> dict[str, Any]:
        """A valid body of an event family, with other values in some of its fields.

        Raises:
            ValueError: a body of the family has no such field.
        """
        __tracebackhide__ = True
        found = self._api.ask("GET", f"/bellwire/v1/event-families/{family}")
        fields = _fields(found["bodySchema"])
        if unknown := sorted(changes.keys() - fields):
            raise ValueError(f"{family} has no field {', '.join(unknown)}; its fields are {', '.join(sorted(fields))}")
        return {**found["sample"], **changes}

    def webhook(
        self, *, path: str = "/webhook", verification_token: str | None = None, signing_secret: str | None = None
    ) -> Webhook:
        """Start a receiver to subscribe to and to wait on; it stops with the test.

        Args:
            verification_token: what `Verification-Token` has to say; anything else is answered 401.
            signing_secret: `whsec_…`; notifications without a valid signature are answered 401.
        """
        if self._thread is None:
            self._thread = ReceiverThread()
        webhook = Webhook(
            self._thread,
            why_not=self._why_not,
            path=path,
            verification_token=verification_token,
            signing_secret=signing_secret,
        )
        self._webhooks.append(webhook)
        return webhook

    def subscribe(self, address: str | Webhook, *filters: str, **delivery_mode: Any) -> str:
        """Subscribe an address as the demo user, where no SDK is to do it; returns the subscription's id.

        Args:
            address: of a webhook of ours, its verification token and signing secret are taken along.
            delivery_mode: further fields, or others; None leaves one out.
        """
        __tracebackhide__ = True
        mode = address.delivery_mode if isinstance(address, Webhook) else {"address": address}
        mode = {"transportType": "WebHook", **mode, **delivery_mode}
        content = {
            "eventFilters": list(filters),
            "deliveryMode": {name: value for name, value in mode.items() if value is not None},
        }
        general = not any(one.startswith(WEBINAR_PREFIX) for one in filters)
        path = "/restapi/v1.0/subscription" if general else "/webinar/notifications/v1/subscriptions"
        return str(self._api.ask("POST", path, token=self.token(), content=content)["id"])

    def token(self) -> str:
        """An access token of the demo user; the same one within a test."""
        __tracebackhide__ = True
        if self._token is None:
            login = f"{self.env['RC_APP_CLIENT_ID']}:{self.env['RC_APP_CLIENT_SECRET']}"
            answer = self._api.ask(
                "POST",
                "/restapi/oauth/token",
                form={"grant_type": JWT_GRANT, "assertion": self.env["RC_USER_JWT"]},
                login=base64.b64encode(login.encode()).decode(),
            )
            self._token = str(answer["access_token"])
        return self._token

    def explain(self, event_filter: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Whether a filter of the demo user would match an event, and if not, why not (`matches`, `reasons`)."""
        __tracebackhide__ = True
        content = {
            "filter": event_filter,
            "event": {**event, "event": self.topic(str(event.get("event", "")))},
            "extensionId": self.extension_id,
        }
        found: dict[str, Any] = self._api.ask(
            "POST", "/bellwire/v1/explain", token=self.env["BELLWIRE_PUBLISHER_KEY"], content=content
        )
        return found

    def settle(self, timeout: float = _SETTLE_SECONDS) -> None:
        """Wait until all that was published is matched, and each notification is delivered, given up, or known to
        have failed and to be tried again: what has not arrived by then arrives by no patience alone.

        Raises:
            AssertionError: it took longer than `timeout` seconds.
        """
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        while True:
            standing = self._api.ask("GET", "/bellwire/v1/ready")
            if standing["watermark"] >= standing["logHead"]:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"in {timeout:g} s the server did not settle what was published: {standing}")
            time.sleep(0.02)

    def seed(self, text: str) -> None:
        """Load a seed file: accounts, extensions, numbers, applications, subscriptions, as YAML."""
        __tracebackhide__ = True
        self._api.ask("POST", f"{_DEV}/seed", raw=text.encode())

    def admin(self, method: str, path: str, content: object = None, **query: object) -> Any:
        """A request to the own API with the admin key: `admin("GET", "/bellwire/v1/deliveries", limit=5)`."""
        __tracebackhide__ = True
        return self._api.ask(method, path, token=self.env["BELLWIRE_ADMIN_KEY"], content=content, query=query)

    def close(self) -> None:
        """Stop the receivers."""
        for webhook in self._webhooks:
            webhook.close()
        self._webhooks.clear()
        if self._thread is not None:
            self._thread.close()
            self._thread = None

    def _why_not(self, webhook: Webhook, arrived: set[str]) -> str:
        key = self.env["BELLWIRE_ADMIN_KEY"]
        had_one = webhook.handshakes > 0
        return "\n".join(why_nothing_came(self._api, key, webhook.url, arrived, had_one=had_one))


class Sms:
    """High Volume SMS from the other side: what recipients do."""

    def __init__(self, api: ApiClient, env: Mapping[str, str]) -> None:
        self._api = api
        self._env = env

    def inbound(self, text: str, *, sender: str = A_RECIPIENT, to: str | None = None) -> str:
        """Someone texts a number of ours, as through a carrier; returns the message's id.

        What comes of it comes as events: the message, and for STOP and the like the opt-out.

        Args:
            sender: in E.164.
            to: by default the demo account's number for High Volume SMS.
        """
        __tracebackhide__ = True
        content = {"from": sender, "to": to or self._env["BELLWIRE_A2P_NUMBER"], "text": text}
        key = self._env["BELLWIRE_PUBLISHER_KEY"]
        return str(self._api.ask("POST", "/bellwire/v1/sms/inbound", token=key, content=content)["id"])


class Clock:
    """The server's time, which tests move ahead: token life, expiry, reminders, retries and blacklisting follow."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def advance(self, by: float | timedelta) -> datetime:
        """Move it ahead, by seconds or a timedelta; returns the server's new time."""
        __tracebackhide__ = True
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        return _moment(self._api.ask("POST", f"{_DEV}/clock", content={"advanceSeconds": seconds}))

    def now(self) -> datetime:
        return _moment(self._api.ask("GET", f"{_DEV}/clock"))


class Fault:
    """A fault in force; `clear` ends it."""

    def __init__(self, api: ApiClient, id_: str) -> None:
        self._api = api
        self.id = id_

    def clear(self) -> None:
        self._api.ask("DELETE", f"{_DEV}/faults/{self.id}")


class Faults:
    """Deliveries and logins that fail on purpose; see docs/development-controls.md for what the fields mean."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def deliveries(
        self,
        *,
        status: int | None = None,
        failure: str | None = None,
        retry_after_seconds: int | None = None,
        delay_seconds: float | None = None,
        count: int | None = None,
        subscription_id: str | None = None,
        host: str | None = None,
        reaches: bool = False,
        handshakes: bool = False,
    ) -> Fault:
        """Make deliveries fail, with an HTTP status or a failure code, or come late.

        Args:
            count: how often; None is until it is cleared.
            reaches: the endpoint gets the notification all the same, so that it comes twice.
        """
        __tracebackhide__ = True
        return self._add(
            kind="delivery",
            status=status,
            failure=failure,
            retryAfterSeconds=retry_after_seconds,
            delaySeconds=delay_seconds,
            count=count,
            subscriptionId=subscription_id,
            host=host,
            reaches=reaches or None,
            handshakes=handshakes or None,
        )

    def tokens(self, *, status: int = 503, retry_after_seconds: int | None = None, count: int = 1) -> Fault:
        """Make the token endpoint refuse, so many times: 400 is `invalid_grant`, 429, 500 and 503 what they are."""
        __tracebackhide__ = True
        return self._add(kind="token", status=status, retryAfterSeconds=retry_after_seconds, count=count)

    def sockets(self, *, count: int = 1, subscription_id: str | None = None) -> Fault:
        """Cut so many WebSocket connections, each in place of the next notification that was to be written to it."""
        __tracebackhide__ = True
        return self._add(kind="socket", count=count, subscriptionId=subscription_id)

    def clear(self) -> None:
        """End all of them."""
        self._api.ask("DELETE", f"{_DEV}/faults")

    def _add(self, **fields: Any) -> Fault:
        __tracebackhide__ = True
        content = {name: value for name, value in fields.items() if value is not None}
        return Fault(self._api, str(self._api.ask("POST", f"{_DEV}/faults", content=content)["id"]))


def _moment(view: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(view["now"]).astimezone(UTC)


def _fields(schema: dict[str, Any]) -> set[str]:
    """Names of a body's fields; of a family whose bodies have several forms, those of all forms."""
    forms = [schema["$defs"][form["$ref"].rpartition("/")[2]] for form in schema.get("oneOf", ())] or [schema]
    return {name for form in forms for name in form["properties"]}
