"""Every route of the server, and who may use it: what `test_authorization.py` tries, one row for each.

A path parameter stands for a record of the demo account (`stage.py` makes one of each kind), so that a stranger who
gets through would really see or harm something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bellwire.api.unsupported import UNSUPPORTED
from bellwire.families import presence
from bellwire.model.permission import Permission

ACCOUNT = "/restapi/v1.0/account/{accountId}"
A2P = f"{ACCOUNT}/a2p-sms"
CONSENTS = "/restapi/v2/accounts/{accountId}/sms/consents"
ADMIN = "/bellwire/v1/admin"
OWN = "/bellwire/v1"
GENERAL, WEBINAR = "/restapi/v1.0/subscription", "/webinar/notifications/v1/subscriptions"
EXTENSION_FILTER = "/restapi/v1.0/account/{accountId}/extension/{extensionId}/presence?detailedTelephonyState=true"
WEBINAR_FILTER = "/webinar/configuration/v1/company/sessions"
PRESENCE = "/restapi/v1.0/account/{accountId}/extension/{extensionId}/presence"

PRESENCE_BODY = dict(presence.FAMILY.sample)

Ids = dict[str, str]
MakeBody = Callable[[Ids], Any]


class Guard(Enum):
    """What a route asks for."""

    NOTHING = "open to all"
    CLIENT = "an application's credentials, which the OAuth cases are about"
    TOKEN = "an access token"
    PUBLISHER = "a publisher key"
    ADMIN = "an admin key"
    TOKEN_OR_PUBLISHER = "an access token or a publisher key"
    THIS_MACHINE = "a program on the same machine"
    UNSUPPORTED = "nothing, and answers 501"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One route.

    Attributes:
        status: what one who may use it is answered.
        permission: an application without it is refused (403 CMN-401).
        user_code: what a user without any user permission is refused with (403); None: a user needs none.
        foreign: status and code for one of another account; None: it may ask, and is shown and given nothing of ours.
    """

    method: str
    path: str
    guard: Guard
    status: int = 200
    body: MakeBody | None = None
    permission: Permission | None = None
    user_code: str | None = None
    foreign: tuple[int, str] | None = None
    harmless: bool = True
    """One who may use it can do so without ending what other rows are about."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def target(self, ids: Ids) -> str:
        return filled(self.path, ids)


def filled(template: str, ids: Ids) -> str:
    """A path with the ids of records in the place of its parameters."""
    for name, value in ids.items():
        template = template.replace("{" + name + "}", value)
    return template


def _open(*paths: str) -> list[Row]:
    return [Row(method="GET", path=path, guard=Guard.NOTHING) for path in paths]


def _token(method: str, path: str, **more: Any) -> Row:
    if "{" in path:
        more.setdefault("foreign", (404, "CMN-102"))
    return Row(method=method, path=path, guard=Guard.TOKEN, **more)


def _admin(method: str, path: str, **more: Any) -> Row:
    if "{" in path:
        more.setdefault("foreign", (404, "CMN-102"))
    return Row(method=method, path=path, guard=Guard.ADMIN, **more)


def _fixed(body: Any) -> MakeBody:
    return lambda _ids: body


def _subscriptions(path: str, created: int, event_filter: str, foreign: tuple[int, str] | None) -> Iterable[Row]:
    one = "{webinarSubscriptionId}" if path == WEBINAR else "{subscriptionId}"

    def wanted(ids: Ids) -> Any:
        return {
            "eventFilters": [filled(event_filter, ids)],
            "deliveryMode": {"transportType": "WebHook", "address": ids["address"]},
        }

    def changed(ids: Ids) -> Any:
        return {"eventFilters": [filled(event_filter, ids)]}

    permission = Permission.READ_WEBINARS if path == WEBINAR else Permission.READ_PRESENCE
    yield _token("GET", path)
    yield _token(
        "POST",
        path,
        status=created,
        body=wanted,
        permission=permission,
        user_code=None if path == WEBINAR else "SUB-403",
        foreign=foreign,
    )
    yield _token("GET", f"{path}/{one}")
    yield _token("PUT", f"{path}/{one}", body=changed, permission=None)
    yield _token("POST", f"{path}/{one}/renew")
    yield _token("DELETE", f"{path}/{one}", status=204, harmless=False)


def _records(of: str, one: str, body: MakeBody, change: Any) -> Iterable[Row]:
    """The five routes of one kind of record."""
    yield _admin("GET", of)
    yield _admin("POST", of, status=201, body=body)
    yield _admin("GET", f"{of}/{one}")
    yield _admin("PATCH", f"{of}/{one}", body=_fixed(change))
    yield _admin("DELETE", f"{of}/{one}", status=204, harmless=False)


def _administration() -> Iterable[Row]:
    account = f"{ADMIN}/accounts/{{accountId}}"
    yield _admin("GET", f"{ADMIN}/accounts")
    yield _admin("POST", f"{ADMIN}/accounts", status=201, body=_fixed({"companyName": "New"}), foreign=(403, "CMN-402"))
    yield _admin("GET", account)
    yield _admin("PATCH", account, body=_fixed({"companyName": "Harbor & Finch Ltd"}))
    yield _admin("DELETE", account, status=204, harmless=False)
    yield from _records(
        f"{account}/extensions",
        "{spareExtensionId}",
        _fixed({"extensionNumber": "901", "firstName": "New"}),
        {"firstName": "Renamed"},
    )
    yield from _records(
        f"{account}/numbers", "{numberId}", _fixed({"phoneNumber": "+16505550173"}), {"label": "Renamed"}
    )
    yield from _records(f"{account}/devices", "{deviceId}", _fixed({"name": "New"}), {"name": "Renamed"})

    client = f"{ADMIN}/applications/{{clientId}}"
    yield _admin("GET", f"{ADMIN}/applications")
    yield _admin(
        "POST",
        f"{ADMIN}/applications",
        status=201,
        body=lambda ids: {"name": "New", "permissions": [], "accountId": ids["accountId"]},
        foreign=(400, "CMN-101"),
    )
    yield _admin("GET", client)
    yield _admin("PATCH", client, body=_fixed({"name": "Renamed"}))
    yield _admin("POST", f"{client}/secret", status=201)
    yield _admin("DELETE", client, status=204, harmless=False)

    login = f"{ADMIN}/extensions/{{spareExtensionId}}"
    yield _admin("GET", f"{login}/password")
    yield _admin("PUT", f"{login}/password", body=_fixed({"userName": "spare@bellwire.example", "password": "p" * 20}))
    yield _admin("DELETE", f"{login}/password", status=204)
    yield _admin("GET", f"{login}/jwts")
    yield _admin("POST", f"{login}/jwts", status=201, body=_fixed({"label": "New"}))
    yield _admin("DELETE", f"{login}/jwts/{{jti}}", status=204, harmless=False)

    for kind, key in (("publisher", "{publisherKeyId}"), ("admin", "{adminKeyId}")):
        keys = f"{ADMIN}/{kind}-keys"
        yield _admin("GET", keys)
        yield _admin(
            "POST",
            keys,
            status=201,
            body=lambda ids: {"label": "New", "accountId": ids["accountId"]},
            foreign=(400, "CMN-101"),
        )
        yield _admin("GET", f"{keys}/{key}")
        yield _admin("PATCH", f"{keys}/{key}", body=_fixed({"label": "Renamed"}))
        yield _admin("DELETE", f"{keys}/{key}", status=204, harmless=False)


def _history() -> Iterable[Row]:
    subscription = f"{OWN}/subscriptions/{{subscriptionId}}"
    yield _admin("GET", f"{OWN}/events")
    yield _admin("GET", f"{OWN}/events/{{event}}")
    yield _admin("GET", f"{OWN}/events/{{event}}/notifications")
    yield _admin("GET", f"{OWN}/events/{{event}}/subscriptions/{{subscriptionId}}")
    yield _admin("GET", f"{OWN}/subscriptions")
    yield _admin("GET", subscription)
    for part in ("attempts", "backlog", "health"):
        yield _admin("GET", f"{subscription}/{part}")
    yield _admin("GET", f"{OWN}/deliveries")
    for action in ("pause", "resume", "test"):
        yield _admin("POST", f"{subscription}/{action}")
    yield _admin("POST", f"{subscription}/probe", status=409)  # it is well
    yield _admin("POST", f"{subscription}/replay", status=202, body=lambda ids: {"event": ids["event"]})
    yield _admin("GET", f"{OWN}/replays")
    yield _admin("GET", f"{OWN}/replays/{{replayId}}")
    yield _admin("DELETE", f"{OWN}/replays/{{replayId}}", status=409)  # it has ended, and so it stays


def _a2p() -> Iterable[Row]:
    sms = Permission.A2P_SMS

    def batch(ids: Ids) -> Any:
        return {"from": ids["number"], "text": "Hello", "messages": [{"to": ["+12025550101"]}]}

    def opt_out(ids: Ids) -> Any:
        return {"from": ids["number"], "optOuts": ["+12025550102"], "optIns": []}

    yield _token("POST", f"{A2P}/batches", status=201, body=batch, permission=sms)
    yield _token("GET", f"{A2P}/batches", permission=sms)
    yield _token("GET", f"{A2P}/batches/{{batchId}}", permission=sms)
    yield _token("GET", f"{A2P}/messages", permission=sms)
    yield _token("GET", f"{A2P}/messages/{{messageId}}", permission=sms)
    yield _token("GET", f"{A2P}/statuses", permission=sms)
    yield _token("GET", f"{A2P}/opt-outs", permission=sms)
    yield _token("POST", f"{A2P}/opt-outs/bulk-assign", body=opt_out, permission=sms)
    consents = Permission.SMS
    yield _token("GET", CONSENTS, permission=consents)
    yield _token(
        "PATCH",
        CONSENTS,
        body=lambda ids: {
            "records": [{"from": ids["number"], "to": "+12025550103", "optStatus": "OptOut", "source": "Api"}]
        },
        permission=consents,
    )
    yield _token("POST", f"{CONSENTS}/search", body=lambda ids: {"from": [ids["number"]]}, permission=consents)
    yield _token("GET", f"{CONSENTS}/history", permission=consents)
    yield _token("GET", f"{CONSENTS}/export", permission=consents)


def _development() -> Iterable[Row]:
    dev = f"{OWN}/dev"
    for method, path in (
        ("GET", "clock"),
        ("POST", "clock"),
        ("GET", "faults"),
        ("POST", "faults"),
        ("DELETE", "faults"),
        ("DELETE", "faults/{faultId}"),
        ("POST", "reset"),
        ("POST", "seed"),
    ):
        yield Row(method=method, path=f"{dev}/{path}", guard=Guard.THIS_MACHINE, harmless=method == "GET")


ROWS: tuple[Row, ...] = (
    *_open(
        "/",
        "/metrics",
        "/restapi",
        "/restapi/v1.0/status",
        "/restapi/{apiVersion}",
        "/.well-known/entry-points/initial",
        "/.well-known/openid-configuration",
        f"{OWN}/openapi.json",
        f"{OWN}/health",
        f"{OWN}/ready",
        f"{OWN}/event-families",
        f"{OWN}/event-families/{{name}}",
        f"{OWN}/failure-codes",
    ),
    Row(method="POST", path="/restapi/oauth/token", guard=Guard.CLIENT),
    Row(method="POST", path="/restapi/oauth/revoke", guard=Guard.CLIENT),
    Row(method="GET", path="/restapi/oauth/authorize", guard=Guard.CLIENT),
    Row(method="POST", path="/restapi/oauth/authorize", guard=Guard.CLIENT),
    _token("GET", "/.well-known/entry-points/external"),
    _token("POST", "/restapi/oauth/wstoken", permission=Permission.WEB_SOCKET),
    _token("GET", ACCOUNT, permission=Permission.READ_ACCOUNTS),
    _token("GET", f"{ACCOUNT}/extension", permission=Permission.READ_ACCOUNTS, user_code="CMN-408"),
    _token("GET", f"{ACCOUNT}/extension/{{extensionId}}", permission=Permission.READ_ACCOUNTS, user_code="CMN-404"),
    _token(
        "GET",
        f"{ACCOUNT}/extension/{{extensionId}}/phone-number",
        permission=Permission.READ_ACCOUNTS,
        user_code="CMN-404",
    ),
    *_subscriptions(GENERAL, 200, EXTENSION_FILTER, (403, "SUB-406")),
    *_subscriptions(WEBINAR, 201, WEBINAR_FILTER, None),
    *_a2p(),
    Row(
        method="POST",
        path=f"{OWN}/explain",
        guard=Guard.TOKEN_OR_PUBLISHER,
        body=lambda ids: {"filter": filled(PRESENCE, ids), "event": {"event": filled(PRESENCE, ids)}},
    ),
    Row(
        method="POST",
        path=f"{OWN}/events",
        guard=Guard.PUBLISHER,
        status=202,
        body=lambda ids: {"event": filled(PRESENCE, ids), "body": PRESENCE_BODY},
    ),
    Row(
        method="POST",
        path=f"{OWN}/sms/inbound",
        guard=Guard.PUBLISHER,
        status=201,
        body=lambda ids: {"from": "+12025550104", "to": ids["number"], "text": "Hello"},
        foreign=(403, "CMN-401"),
    ),
    *_administration(),
    *_history(),
    *_development(),
    *(
        Row(method=method, path=path, guard=Guard.UNSUPPORTED, status=501)
        for path, methods in UNSUPPORTED.items()
        for method in methods.split()
    ),
)
