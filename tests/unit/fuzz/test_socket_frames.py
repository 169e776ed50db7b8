"""What clients of the WebSocket gateway write, as anything at all: its machine answers or refuses, and goes on."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from bellwire.wire.gateway.session import Owner
from tests.unit.wire.gateway.stage import Client, Stage

names = st.sampled_from(
    ["type", "messageId", "method", "path", "headers", "query", "wsc", "status", "body", "token", "sequence", ""]
)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(
            ["ClientRequest", "Heartbeat", "ServerNotification", "ConnectionDetails", "GET", "POST", "DELETE", "TRACE"]
        ),
        st.sampled_from(
            ["/restapi/v1.0/subscription", "/restapi/v1.0/../../admin", "//evil.example/", "/a?b=c#d", "\0"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=6)),
    max_leaves=12,
)
requests = st.fixed_dictionaries(
    {"type": st.just("ClientRequest"), "messageId": values, "method": values, "path": values},
    optional={"headers": values, "query": values, "body": values},
)
frames = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60),
    values.map(json.dumps),
    st.lists(st.one_of(values, requests), min_size=1, max_size=3).map(json.dumps),
    requests.map(lambda request: json.dumps([request, {}])),
)


@given(st.lists(frames, max_size=8))
@example([json.dumps([{"type": "ClientRequest", "messageId": "m" * 100_000, "method": "GET", "path": "/restapi"}])])
@example(["[" * 50_000, b"\xff", '[{"type":"Heartbeat","messageId":' + "9" * 5000 + "}]"])
def test_no_frame_breaks_the_gateway_or_another_s_connection(sent: list[Any]) -> None:
    stage = Stage(active_requests=3)
    neighbour, client = stage.connect(Owner("another-login", "another-user")), stage.connect()
    for frame in sent:
        if client.close_code is None:
            stage.run(stage.gateway.received(client.connection, frame))

    assert all(isinstance(written, list) and isinstance(written[0], dict) for written in client.frames)
    assert len(client.calls) <= 3, "no more requests are under way than may be"
    assert all(is_inside(call.request.path) for call in client.calls)
    assert neighbour.close_code is None
    assert still_serves(stage, neighbour)


def is_inside(path: str) -> bool:
    return path.startswith("/") and not path.startswith("//")


def still_serves(stage: Stage, client: Client) -> bool:
    client.frames.clear()
    stage.send(client, {"type": "Heartbeat", "messageId": "still-there"})
    return [frame[0]["messageId"] for frame in client.take()] == ["still-there"]
