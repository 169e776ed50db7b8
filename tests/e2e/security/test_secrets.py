"""A whole session of everything that has to do with secrets; then all files and all log lines are searched for them.

Logged at `debug`, since that is when most is said. Phone numbers and texts are in the data directory, that is what it
is for; in no log line is there a text or a whole number.
"""

from __future__ import annotations

import base64
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import structlog

from bellwire.families import presence
from bellwire.observe.logs import set_up_logs
from bellwire.testing.receiver import Reply, WebhookReceiver
from tests.e2e.in_process import Running, running_server
from tests.e2e.security.routes import ADMIN

A2P = "/restapi/v1.0/account/~/a2p-sms"
VERIFICATION_TOKEN = "verification-token-of-the-subscriber"
SIGNING_KEY = bytes(range(200, 232))
SIGNING_SECRET = "whsec_" + base64.b64encode(SIGNING_KEY).decode()
NEW_PASSWORD, WRONG_PASSWORD, TYPED_KEY = (
    "correct-horse-battery",
    "a-password-of-another-site",
    "bwa_typed-into-the-wrong-field",
)
TEXTS = ("Your parcel is hidden behind the oleander", "Is the oleander the green one?", "oleander STOP")
RECIPIENTS = ("+12025550147", "+12025550148", "+12025550149")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All log lines, of libraries too."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    set_up_logs(level="debug", json_lines=True, stream=stream)
    root.setLevel(logging.DEBUG)
    for talkative in ("httpx", "httpcore", "asyncio"):  # the test's own client
        logging.getLogger(talkative).setLevel(logging.WARNING)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Session:
    """Does things, and remembers every secret that it was given or gave."""

    def __init__(self, running: Running, receiver: WebhookReceiver) -> None:
        self.running = running
        self.receiver = receiver
        demo = running.demo
        self.basic = (demo.client_id, demo.client_secret)
        self.secrets = {
            "client secret": demo.client_secret,
            "other client secret": demo.limited_client_secret,
            "JWT": demo.jwt,
            "other JWT": demo.limited_jwt,
            "publisher key": demo.publisher_key,
            "admin key": demo.admin_key,
            "password": demo.password,
            "new password": NEW_PASSWORD,
            "wrong password": WRONG_PASSWORD,
            "typed key": TYPED_KEY,
            "verification token": VERIFICATION_TOKEN,
            "signing secret": SIGNING_SECRET.removeprefix("whsec_"),
        }

    async def call(self, method: str, path: str, key: str = "", **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.secrets['access token']}"}
        return await self.running.http.request(method, path, headers=headers | more.pop("headers", {}), **more)

    async def token(self, name: str, **form: str) -> httpx.Response:
        answer = await self.running.http.post("/restapi/oauth/token", data=form, auth=self.basic)
        if answer.is_success:
            self.secrets |= {f"{part} of {name}": answer.json()[part] for part in ("access_token", "refresh_token")}
        return answer

    async def log_in(self) -> None:
        demo = self.running.demo
        jwt_grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        answer = await self.token("login", grant_type=jwt_grant, assertion=demo.jwt)
        await self.token("refresh", grant_type="refresh_token", refresh_token=answer.json()["refresh_token"])
        user = demo.users[0].user_name
        answer = await self.token("password", grant_type="password", username=user, password=demo.password)
        assert answer.is_success
        await self.token("refused", grant_type="password", username=user, password=WRONG_PASSWORD)
        await self.token("refused", grant_type="refresh_token", refresh_token=TYPED_KEY)
        code = await self.log_in_at_the_page()
        self.secrets["code"] = code
        answer = await self.token("code", grant_type="authorization_code", code=code, redirect_uri=demo.redirect_uri)
        assert answer.is_success
        self.secrets["access token"] = answer.json()["access_token"]
        await self.running.http.post(
            "/restapi/oauth/revoke",
            data={"token": self.secrets["access_token of password"]},
            auth=self.basic,
        )
        self.secrets["socket token"] = (await self.call("POST", "/restapi/oauth/wstoken")).json()["ws_access_token"]
        await self.call("GET", f"/restapi/v1.0/account/~?access_token={self.secrets['access token']}", TYPED_KEY)

    async def log_in_at_the_page(self) -> str:
        demo, http = self.running.demo, self.running.http
        asked = {"response_type": "code", "client_id": demo.client_id, "redirect_uri": demo.redirect_uri, "state": "s"}
        page = await http.get("/restapi/oauth/authorize", params=asked)
        [state] = re.findall(r'name="login_state" value="([^"]+)"', page.text)
        self.secrets["login state"] = state
        form = {"login_state": state, "username": demo.users[0].user_name}
        failed = await http.post("/restapi/oauth/authorize", data=form | {"password": WRONG_PASSWORD})
        assert failed.status_code == 400
        answer = await http.post("/restapi/oauth/authorize", data=form | {"password": demo.password})
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    async def administer(self) -> None:
        key = self.running.demo.admin_key
        user = self.running.demo.users[3].extension_id
        made = await self.call("POST", f"{ADMIN}/applications", key, json={"name": "New", "permissions": []})
        self.secrets["new client secret"] = made.json()["clientSecret"]
        self.secrets["rotated client secret"] = (
            await self.call("POST", f"{ADMIN}/applications/{made.json()['clientId']}/secret", key)
        ).json()["clientSecret"]
        jwt = await self.call("POST", f"{ADMIN}/extensions/{user}/jwts", key, json={"label": "New"})
        self.secrets["new JWT"] = jwt.json()["token"]
        for kind in ("publisher", "admin"):
            made = await self.call("POST", f"{ADMIN}/{kind}-keys", key, json={"label": "New"})
            self.secrets[f"new {kind} key"] = made.json()["key"]
        changed = {"userName": "new@bellwire.example", "password": NEW_PASSWORD}
        assert (await self.call("PUT", f"{ADMIN}/extensions/{user}/password", key, json=changed)).is_success
        await self.call("PUT", f"{ADMIN}/extensions/{user}/password", key, json={"password": TYPED_KEY + "\0"})
        for shown in (TYPED_KEY, key):
            answer = await self.running.http.post("/console/sign-in", data={"key": shown})
        self.secrets["console session"] = answer.cookies["bellwire_console"]

    async def subscribe_and_publish(self) -> None:
        user = self.running.demo.users[0].extension_id
        topic = f"/restapi/v1.0/account/{self.running.demo.account_id}/extension/{user}/presence"
        mode = {
            "transportType": "WebHook",
            "address": self.receiver.url + "?secret-in-the-address=oleander",
            "verificationToken": VERIFICATION_TOKEN,
            "signingSecret": SIGNING_SECRET,
        }
        wanted = {"eventFilters": [topic, f"{A2P}/messages"], "deliveryMode": mode}
        assert (await self.call("POST", "/restapi/v1.0/subscription", json=wanted)).is_success
        for broken in ({"verificationToken": VERIFICATION_TOKEN + "\r\n"}, {"signingSecret": SIGNING_SECRET + "\r\n"}):
            refused = await self.call(
                "POST", "/restapi/v1.0/subscription", json=wanted | {"deliveryMode": mode | broken}
            )
            assert refused.status_code == 400
            assert VERIFICATION_TOKEN not in refused.text
            assert SIGNING_KEY.hex() not in refused.text
        event = {"event": topic, "body": dict(presence.FAMILY.sample)}
        assert (await self.running.publish(event))["accepted"] == 1
        await self.receiver.wait_for(1, timeout=30)

    async def text(self) -> None:
        batch = {
            "from": self.running.demo.a2p_number,
            "text": TEXTS[0],
            "messages": [{"to": [number]} for number in RECIPIENTS[:2]] + [{"to": ["+442071838750"]}],
        }
        assert (await self.call("POST", f"{A2P}/batches", json=batch)).status_code == 201
        for text in TEXTS[1:]:
            said = {"from": RECIPIENTS[2], "to": self.running.demo.a2p_number, "text": text}
            answer = await self.call("POST", "/bellwire/v1/sms/inbound", self.running.demo.publisher_key, json=said)
            assert answer.status_code == 201
        numbers = {"phoneNumber": RECIPIENTS[0]}
        assert (await self.call("GET", f"{A2P}/messages", params=numbers)).json()["records"]
        opt_outs = {"from": self.running.demo.a2p_number, "optOuts": [RECIPIENTS[1]]}
        assert (await self.call("POST", f"{A2P}/opt-outs/bulk-assign", json=opt_outs)).is_success
        broken = {
            "event": "/restapi/v1.0/account/400100/a2p-sms/messages",
            "body": {"text": TEXTS[0], "to": RECIPIENTS[0]},
        }
        assert (await self.running.publish(broken))["rejectedCount"] == 1
        await self.receiver.wait_for(4, timeout=30)


async def test_no_secret_is_in_a_file_or_log_line_and_no_text_or_number_in_a_log_line(
    tmp_path: Path, logged: io.StringIO
) -> None:
    data = tmp_path / "data"
    replies = iter([Reply(), Reply(status=500), Reply(hangs_up=True, raw=b"")])
    async with (
        WebhookReceiver(answer=lambda _: next(replies, Reply())) as receiver,
        running_server(data) as running,
    ):
        session = Session(running, receiver)
        await session.log_in()
        await session.administer()
        await session.subscribe_and_publish()
        await session.text()
        running_files = contents(data)

    lines = logged.getvalue()
    key = (data / "installation.key").read_bytes()
    assert {"delivery.attempted", "batch.accepted", "subscription.created"} <= set(
        re.findall(r'"event": "([^"]+)"', lines)
    )
    assert len(session.secrets) > 25
    for name, secret in session.secrets.items():
        assert secret not in lines, name
        for files in (running_files, contents(data)):
            assert [path for path, content in files.items() if secret.encode() in content] == [], name
    for files in (running_files, contents(data)):
        assert [path for path, content in files.items() if SIGNING_KEY in content] == []
        assert [path for path, content in files.items() if key in content] == ["installation.key"]
    for form in (key.decode("latin-1").strip(), key.hex(), base64.b64encode(key).decode()):
        assert form not in lines
    assert any(TEXTS[0].encode() in content for content in contents(data).values()), "else this test shows nothing"
    assert "oleander" not in lines, "neither texts nor a webhook's address"
    for number in (*RECIPIENTS, "+442071838750", running.demo.a2p_number):
        assert number.removeprefix("+") not in lines


def contents(directory: Path) -> dict[str, bytes]:
    """Every file of a directory, logs of databases among them."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
