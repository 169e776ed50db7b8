"""Cases 61 to 83 of the wire contract: the WebSocket gateway, by a client that does exactly what a test says.

What official SDKs make of it is in test_websocket_sdks.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.conformance.stage import GENERAL, Stage, assert_refused, conforming_server, set_stage
from tests.e2e.raw_socket import Login, RawSocket

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
MESSAGES = "/restapi/v1.0/account/~/a2p-sms/messages"


@pytest_asyncio.fixture(loop_scope="module")
async def login(stage: Stage) -> AsyncIterator[Login]:
    login = await Login.of(stage.running.http, stage.running.demo)
    yield login
    await login.revoke()


async def connected(login: Login, **options: Any) -> RawSocket:
    """A connection whose details were read."""
    socket = await login.connect(**options)
    await socket.details()
    return socket


def assert_error(frame: list[Any], code: str) -> None:
    meta, body = frame
    assert (meta["type"], body["errorCode"]) == ("Error", code)
    assert meta["headers"].keys() == {"RCRequestId"}
    assert body["message"]


async def received(socket: RawSocket) -> str:
    """The uuid of the next notification."""
    meta, envelope = await socket.frame("ServerNotification")
    assert meta["messageId"] == envelope["uuid"]
    uuid: str = envelope["uuid"]
    return uuid


async def test_case_61_a_socket_token_says_two_seconds_and_is_url_safe(stage: Stage, login: Login) -> None:
    token = await login.socket_token()
    assert token["uri"] == stage.running.url.replace("http", "ws", 1) + "/ws"
    assert re.fullmatch(r"[A-Za-z0-9\-_.~]+", token["ws_access_token"])
    assert token["expires_in"] == 2
    assert isinstance(token["expires_in"], int)


async def test_case_61_a_socket_token_needs_one_of_two_permissions(stage: Stage) -> None:
    answer = await stage.elsewhere.call("POST", "/restapi/oauth/wstoken")
    assert "WebSocketsSubscription" in assert_refused(answer, 403, "CMN-401")


async def test_case_62_with_an_invalid_token_the_handshake_succeeds_and_an_error_frame_comes(stage: Stage) -> None:
    url = stage.running.url.replace("http", "ws", 1) + "/ws"
    for query in ("?access_token=nonsense", "?access_token=", ""):
        socket = await RawSocket.connected(url + query)
        assert_error(await socket.frame(), "WSG-401")
        assert await socket.closed() == 1008
        assert socket.status == 101


async def test_case_63_the_first_frame_is_connection_details(login: Login) -> None:
    socket = await login.connect()
    meta, body = await socket.frame()
    assert (meta["type"], meta["status"], meta["wsc"]["sequence"]) == ("ConnectionDetails", 200, 1)
    assert re.fullmatch(r"[A-Za-z0-9\-_.~]+", meta["wsc"]["token"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body.pop("creationTime"))
    assert body == {
        "maxConnectionsPerSession": 50,
        "recoveryBufferSize": 100,
        "recoveryTimeout": 180,
        "idleTimeout": 1800,
        "absoluteTimeout": 86400,
        "maxActiveRequests": 10,
    }
    await socket.close()


async def test_case_64_a_token_is_good_for_a_minute_and_more_than_once(stage: Stage, login: Login) -> None:
    token = await login.socket_token()
    url = f"{token['uri']}?access_token={token['ws_access_token']}"
    for _ in range(2):
        socket = await RawSocket.connected(url)
        await socket.details()
        await socket.close()
    stage.advance(seconds=61)
    late = await RawSocket.connected(url)
    assert_error(await late.frame(), "WSG-401")
    assert await late.closed() == 1008


async def test_case_65_python_posts_with_a_trailing_slash(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    meta, body = await socket.request(
        "POST", f"{GENERAL}/", {"eventFilters": [PRESENCE], "deliveryMode": {"transportType": "WebSocket"}}
    )
    assert meta["status"] == 200
    assert meta["headers"]["WSG-SubscriptionId"] == body["id"]
    assert body["deliveryMode"] == {"transportType": "WebSocket"}
    assert body["eventFilters"] == [f"{stage.own}/presence"]
    assert [record["id"] for record in (await login.call("GET", GENERAL)).json()["records"]] == [body["id"]]
    await socket.close()


async def test_case_66_a_request_by_frame_is_answered_like_one_over_http(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    meta, body = await socket.request("GET", "/restapi/v1.0/account/~", message_id="3jtF/zWwT9OJfnQrgsPuxg/0")
    assert (meta["type"], meta["messageId"], meta["status"]) == ("ClientRequest", "3jtF/zWwT9OJfnQrgsPuxg/0", 200)
    assert "WSG-SubscriptionId" not in meta["headers"]
    assert meta["headers"]["RCRequestId"]
    assert body == (await login.call("GET", "/restapi/v1.0/account/~")).json()
    await socket.close()


async def test_case_66_rate_limits_and_permissions_are_those_of_http(stage: Stage) -> None:
    socket = await connected(await Login.of(stage.running.http, stage.running.demo))
    meta, _ = await socket.request("GET", GENERAL)
    assert int(meta["headers"]["X-Rate-Limit-Limit"]) > 0
    assert meta["headers"]["X-Rate-Limit-Group"] == "light"
    meta, body = await socket.request("GET", "/restapi/v1.0/account/424242")
    assert (meta["status"], body["errorCode"]) == (404, "CMN-102")
    await socket.close()


@pytest.mark.parametrize(
    ("path", "meta"),
    [
        ("/restapi/oauth/token", {}),
        ("//restapi/oauth/wstoken", {}),
        ("/restapi/%6fauth/token", {}),
        ("/bellwire/v1/events", {}),
        (GENERAL, {"headers": {"Content-Type": "multipart/form-data; boundary=x"}}),
    ],
)
async def test_case_66_what_is_for_http_alone_is_refused(login: Login, path: str, meta: dict[str, Any]) -> None:
    socket = await connected(login)
    answer, body = await socket.request("POST", path, {}, **meta)
    assert (answer["status"], body["errorCode"]) == (400, "CMN-104")
    await socket.close()


async def test_case_67_an_event_of_the_same_instant_comes_after_the_pong(stage: Stage, login: Login) -> None:
    socket = await connected(login, answers_pings=False)
    await socket.subscribe(PRESENCE)
    await stage.publish(stage.presence(uuid="early-1"), stage.presence(uuid="early-2"))
    await stage.settle()
    await socket.until_pinged(1)
    await socket.nothing_more()
    socket.answer_pings()
    assert [await received(socket), await received(socket)] == ["early-1", "early-2"]
    for read in socket.reads:
        assert not ("ServerNotification" in read and "ClientRequest" in read)
    await socket.close()


async def test_case_68_a_second_subscription_ends_the_first(stage: Stage, login: Login) -> None:
    socket = await connected(login, answers_pings=False)
    first = await socket.subscribe(PRESENCE)
    await stage.publish(stage.presence(uuid="for-the-first"))
    await stage.settle()
    second = await socket.subscribe(MESSAGES)
    assert second["id"] != first["id"]
    socket.answer_pings()
    await stage.publish(stage.presence(uuid="for-nobody"), stage.message("+16505550181", uuid="for-the-second"))
    assert await received(socket) == "for-the-second"
    await socket.nothing_more()
    assert_refused(await login.call("GET", f"{GENERAL}/{first['id']}"), 404, "CMN-102")
    await socket.close()


async def test_case_68_a_second_subscription_that_is_refused_leaves_the_first(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    first = await socket.subscribe(PRESENCE)
    meta, body = await socket.request(
        "POST", GENERAL, {"eventFilters": ["/nonsense"], "deliveryMode": {"transportType": "WebSocket"}}
    )
    assert (meta["status"], body["errorCode"]) == (400, "SUB-508")
    assert "WSG-SubscriptionId" not in meta["headers"]
    await stage.publish(stage.presence(uuid="still-for-the-first"))
    assert await received(socket) == "still-for-the-first"
    assert (await login.call("GET", f"{GENERAL}/{first['id']}")).status_code == 200
    await socket.close()


async def test_case_69_a_deletion_is_answered_without_body_and_a_failure_with_one(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    made = await socket.subscribe(PRESENCE)
    frame = await socket.request("DELETE", f"{GENERAL}/{made['id']}")
    assert len(frame) == 1
    assert frame[0]["status"] == 204
    assert "WSG-SubscriptionId" not in frame[0]["headers"]
    meta, body = await socket.request("DELETE", f"{GENERAL}/{made['id']}")
    assert (meta["status"], body["errorCode"]) == (404, "CMN-102")
    assert body["message"]
    await stage.publish(stage.presence(uuid="for-nobody-either"))
    await stage.settle()
    await socket.nothing_more()
    await socket.close()


async def test_case_70_a_heartbeat_is_answered_with_the_same(login: Login) -> None:
    socket = await connected(login)
    socket.send({"type": "Heartbeat", "messageId": "beat-1"})
    assert await socket.frame() == [{"type": "Heartbeat", "messageId": "beat-1", "headers": (await_any := _Any())}]
    assert await_any.seen["RCRequestId"]
    await socket.close()


class _Any:
    """Equal to whatever it is compared with, which it keeps."""

    def __eq__(self, other: object) -> bool:
        self.seen: Any = other
        return True

    __hash__ = None  # type: ignore[assignment]


async def test_case_71_a_client_that_answers_no_ping_is_closed(tmp_path: Path) -> None:
    environment = {"BELLWIRE_WEBSOCKET_PING_SECONDS": "1", "BELLWIRE_WEBSOCKET_PONG_SECONDS": "1"}
    async with conforming_server(tmp_path, environment=environment) as running, set_stage(running) as stage:
        login = await Login.of(stage.running.http, stage.running.demo)
        deaf = await connected(login, answers_pings=False)
        assert await deaf.closed() == 1006
        assert deaf.pings == 1


async def test_case_72_half_an_hour_without_traffic_ends_a_connection(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    stage.advance(seconds=1799)
    await socket.nothing_more()
    stage.advance(seconds=1800)
    assert_error(await socket.frame(), "WSG-902")
    assert await socket.closed() == 1000


async def test_case_72_a_notification_each_minute_is_traffic_and_so_is_a_ping(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    await socket.subscribe(PRESENCE)
    for minute in range(35):
        stage.advance(minutes=1)
        await stage.publish(stage.presence(uuid=f"minute-{minute}"))
        assert await received(socket) == f"minute-{minute}"
    for _ in range(2):
        stage.advance(minutes=20)
        socket.ping()
        await socket.nothing_more()
    await socket.close()


async def test_case_73_a_day_ends_a_connection_and_not_its_session(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    made = await socket.subscribe(PRESENCE)
    for _ in range(48):
        stage.advance(seconds=1799)
        await socket.nothing_more()
    stage.advance(seconds=48)
    assert_error(await socket.frame(), "WSG-903")
    assert await socket.closed() == 1000
    await login.refresh()
    again = await login.connect(wsc=socket.wsc)
    assert (await again.details())["recoveryState"] == "Successful"
    assert (await login.call("GET", f"{GENERAL}/{made['id']}")).status_code == 200
    await again.close()


async def test_case_74_a_recovered_session_gets_what_it_missed_after_the_barrier(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    made = await socket.subscribe(PRESENCE)
    await stage.publish(stage.presence(uuid="before"))
    assert await received(socket) == "before"
    socket.cut()
    await stage.publish(*(stage.presence(uuid=f"missed-{number}") for number in range(3)))
    await stage.settle()
    again = await login.connect(wsc=socket.wsc, answers_pings=False)
    assert (await again.details())["recoveryState"] == "Successful"
    await again.until_pinged(1)
    await again.nothing_more()
    again.answer_pings()
    for number in range(3):
        meta, envelope = await again.frame("ServerNotification")
        assert (envelope["uuid"], envelope["subscriptionId"]) == (f"missed-{number}", made["id"])
        assert meta["wsc"]["sequence"] > 3
    await stage.publish(stage.presence(uuid="after"))
    assert await received(again) == "after"
    await again.close()


async def test_case_74_what_a_client_had_not_read_is_replayed_from_its_token(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    await socket.subscribe(PRESENCE)
    await stage.publish(*(stage.presence(uuid=f"read-{number}") for number in range(3)))
    await received(socket)
    token = socket.wsc if len(socket.reads[-1]) == 1 else ""
    while not token:  # all three came in one read: the token of the first is in its frame
        frames = [await socket.frame("ServerNotification") for _ in range(2)]
        token = frames[0][0]["wsc"]["token"]
        expected = ["read-2"]
        break
    else:
        expected = ["read-1", "read-2"]
    socket.cut()
    again = await login.connect(wsc=token)
    await again.details()
    assert [await received(again) for _ in expected] == expected
    await again.nothing_more()
    await again.close()


async def test_case_75_of_150_missed_events_the_newest_100_come(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    await socket.subscribe(PRESENCE)
    socket.cut()
    await stage.publish(*(stage.presence(uuid=f"one-of-many-{number}") for number in range(150)))
    await stage.settle()
    again = await login.connect(wsc=socket.wsc)
    await again.details()
    assert [await received(again) for _ in range(100)] == [f"one-of-many-{number}" for number in range(50, 150)]
    await again.nothing_more()
    await again.close()


async def test_case_76_after_180_seconds_a_session_is_gone_with_its_subscription(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    made = await socket.subscribe(PRESENCE)
    socket.cut()
    there = await connected(login)  # once this answers, the server has seen the other one end
    while f'"{made["id"]}"' not in (await login.call("GET", GENERAL)).text:
        pass
    stage.advance(seconds=179)
    assert (await login.call("GET", f"{GENERAL}/{made['id']}")).status_code == 200
    stage.advance(seconds=2)
    again = await login.connect(wsc=socket.wsc)
    details = await again.details()
    assert (details["recoveryState"], details["recoveryErrorCode"]) == ("Failed", "WSG-1005")
    while (await login.call("GET", f"{GENERAL}/{made['id']}")).status_code != 404:
        pass
    assert (await again.subscribe(PRESENCE))["id"] != made["id"]
    await again.close()
    await there.close()


async def test_case_77_a_session_without_subscription_and_one_of_another_login(stage: Stage, login: Login) -> None:
    bare = await connected(login)
    await bare.close()
    again = await login.connect(wsc=bare.wsc)
    details = await again.details()
    assert (details["recoveryState"], details["recoveryErrorCode"]) == ("Failed", "WSG-1005")
    await again.subscribe(PRESENCE)
    await again.close()
    other = await Login.of(stage.running.http, stage.running.demo)
    stranger = await other.connect(wsc=again.wsc)
    details = await stranger.details()
    assert (details["recoveryState"], details["recoveryErrorCode"]) == ("Failed", "WSG-1003")
    await stranger.close()
    await other.revoke()


async def test_case_77_a_token_that_is_none_is_an_error_and_an_unknown_one_is_not(login: Login) -> None:
    malformed = await login.connect(wsc="malformed")
    assert_error(await malformed.frame(), "WSG-400")
    assert await malformed.closed() == 1008
    unknown = await login.connect(wsc="AAAAAAAAAAAAAAAAAAAAAA.1.0.0")
    assert (await unknown.details())["recoveryErrorCode"] == "WSG-1005"
    await unknown.close()


async def test_case_78_a_refreshed_token_is_of_the_same_session(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    await socket.subscribe(PRESENCE)
    await socket.close()
    await login.refresh()
    again = await login.connect(wsc=socket.wsc)
    assert (await again.details())["recoveryState"] == "Successful"
    await again.close()


async def test_case_79_without_wsc_there_is_no_recovery_state(login: Login) -> None:
    socket = await login.connect()
    assert "recoveryState" not in await socket.details()
    await socket.close()


async def test_case_80_after_a_clean_close_recovery_works(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    await socket.subscribe(PRESENCE)
    await socket.close()
    await stage.publish(stage.presence(uuid="after-a-clean-close"))
    await stage.settle()
    again = await login.connect(wsc=socket.wsc)
    assert (await again.details())["recoveryState"] == "Successful"
    assert await received(again) == "after-a-clean-close"
    await again.close()


async def test_case_81_no_frame_holds_what_one_client_takes_for_a_multipart_answer(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    await socket.subscribe(MESSAGES)
    text = 'see ,--Boundary and ",--Boundary"'
    message = stage.message("+16505550181", uuid="with-a-boundary")
    message["body"]["text"] = text
    seen: list[str] = []
    loads = json.loads

    def noting(data: bytes) -> Any:
        seen.append(bytes(data).decode())
        return loads(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.e2e.raw_socket.json.loads", noting)
        await stage.publish(message)
        _, envelope = await socket.frame("ServerNotification")
    assert envelope["body"]["text"] == text
    assert not any(",--Boundary" in frame for frame in seen)
    assert any("Boundary" in frame for frame in seen)
    await socket.close()


async def test_case_82_of_eleven_requests_at_once_the_last_is_refused(login: Login) -> None:
    socket = await connected(login)
    requests = [
        json.dumps([{"type": "ClientRequest", "messageId": f"at-once-{n}", "method": "GET", "path": GENERAL}])
        for n in range(11)
    ]
    socket.send_text(*requests)
    answers = [await socket.answer(f"at-once-{number}") for number in range(11)]
    assert [meta["status"] for meta, _ in answers] == [200] * 10 + [429]
    assert answers[-1][1]["errorCode"] == "CMN-304"
    await socket.close()


async def test_case_83_a_socket_subscription_is_updated_over_its_socket_alone(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    made = await socket.subscribe(PRESENCE)
    path = f"{GENERAL}/{made['id']}"
    update = {"eventFilters": [MESSAGES], "deliveryMode": {"transportType": "WebSocket"}}
    assert_refused(await login.call("PUT", path, json=update), 405, "SUB-511")
    renewed = await login.call("POST", f"{path}/renew")
    assert (renewed.status_code, renewed.json()["expirationTime"]) == (200, made["expirationTime"])
    meta, body = await socket.request("PUT", path, update)
    assert (meta["status"], body["id"], meta["headers"]["WSG-SubscriptionId"]) == (200, made["id"], made["id"])
    assert body["eventFilters"] == [f"{stage.account}/a2p-sms/messages"]
    await stage.publish(stage.presence(uuid="filtered-out"), stage.message("+16505550181", uuid="filtered-in"))
    assert await received(socket) == "filtered-in"
    other = await connected(login)
    meta, body = await other.request("PUT", path, update)
    assert (meta["status"], body["errorCode"]) == (404, "CMN-102")
    await socket.close()
    await other.close()


async def test_case_17_revoking_an_access_token_ends_the_socket(stage: Stage) -> None:
    login = await Login.of(stage.running.http, stage.running.demo)
    socket = await connected(login)
    made = await socket.subscribe(PRESENCE)
    await login.revoke()
    assert_error(await socket.frame(), "WSG-904")
    assert await socket.closed() == 1008
    while made["id"] in (await stage.call("GET", GENERAL)).text:
        pass


async def test_an_unreadable_frame_is_an_error_and_the_connection_is_kept(login: Login) -> None:
    socket = await connected(login)
    for text in ("nonsense", "{}", "[]", "[1]", '[{"type":"ServerNotification","messageId":"x"}]', "[{},{},{}]"):
        socket.send_text(text)
        assert_error(await socket.frame(), "WSG-906")
    await socket.nothing_more()
    await socket.close()


async def test_a_fifty_first_connection_of_a_session_is_refused(login: Login) -> None:
    sockets = [await connected(login) for _ in range(50)]
    one_more = await login.connect()
    assert_error(await one_more.frame(), "WSG-905")
    assert await one_more.closed() == 1013
    for socket in sockets:
        await socket.close()


async def test_pages_of_other_origins_may_not_connect(tmp_path: Path) -> None:
    environment = {"BELLWIRE_CORS_ORIGINS": "https://app.example.com"}
    async with conforming_server(tmp_path, environment=environment) as running:
        login = await Login.of(running.http, running.demo)
        stranger = await login.connect(origin="https://evil.example.com")
        assert_error(await stranger.frame(), "CMN-401")
        assert await stranger.closed() == 1008
        ours = await login.connect(origin="https://app.example.com")
        await ours.details()
        await ours.close()


async def test_socket_notifications_are_visible_in_history(stage: Stage, login: Login) -> None:
    socket = await connected(login)
    made = await socket.subscribe(PRESENCE)
    await stage.publish(stage.presence(uuid="in-history"))
    assert await received(socket) == "in-history"
    socket.cut()
    while (await received_attempts(stage, made["id"]))[0][2] != "not_connected":
        await stage.publish(stage.presence())
        await stage.settle()
    attempts = await received_attempts(stage, made["id"])
    assert attempts[-1] == ("in-history", "delivered", None)


async def received_attempts(stage: Stage, subscription: str) -> list[tuple[str, str, str | None]]:
    """(uuid, outcome, failure), newest first."""
    answer = await stage.running.http.get(
        f"/bellwire/v1/subscriptions/{subscription}/attempts",
        headers={"Authorization": f"Bearer {stage.running.demo.admin_key}"},
    )
    assert answer.status_code == 200, answer.text
    found = [(record["uuid"], record["outcome"], record["failureCode"]) for record in answer.json()["records"]]
    return found or [("", "", None)]
