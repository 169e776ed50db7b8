from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.wire.gateway import frames
from bellwire.wire.gateway.frames import ClientRequest, Heartbeat, Unreadable, read_frame

BOUNDARY = ",--Boundary"


def test_what_clients_write_is_read() -> None:
    request = read_frame(
        '[{"type":"ClientRequest","messageId":"a/0","method":"get","path":"/restapi","headers":{"X-User-Agent":"x",'
        '"n":1},"query":{"a":1},"more":true},{"b":1.50}]'
    )
    assert request == ClientRequest("a/0", "GET", "/restapi", {"a": 1}, {"x-user-agent": "x"}, b'{"b":1.50}')
    assert read_frame('[{"type":"Heartbeat","messageId":"h"}]') == Heartbeat("h")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "{}",
        "[]",
        "[1,2]",
        '[{"type":"Heartbeat"},{},{}]',
        '[{"messageId":"x"}]',
        '[{"type":"Error","messageId":"x"}]',
        '[{"type":"ClientRequest","messageId":"x","path":"/a"}]',
        '[{"type":"ClientRequest","messageId":"x","method":"GET"}]',
        '[{"type":"ClientRequest","method":"GET","path":"/a"}]',
        '[{"type":"ClientRequest","messageId":"x","method":"G T","path":"/a"}]',
        '[{"type":"Heartbeat","messageId":"' + "x" * 257 + '"}]',
        "[" * 100_000,
        '[{"type":"Heartbeat","messageId":"h","headers":' + "[" * 50_000,
    ],
)
def test_what_is_none_of_the_protocol_s_frames_is_unreadable(text: str) -> None:
    assert isinstance(read_frame(text), Unreadable)


@given(st.binary())
def test_no_bytes_break_the_reader(data: bytes) -> None:
    read_frame(data)


@given(st.text())
def test_every_frame_is_json_with_headers_and_none_holds_the_boundary(text: str) -> None:
    text += BOUNDARY
    body = json.dumps({"text": text}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if b"\xed" in body:
        return  # half a character can't be in a body that was accepted
    made = [
        frames.answer("m", 200, {}, body),
        frames.notification("u-1", "r-1", '{"token":"t","sequence":1}', body),
        frames.error("WSG-906", 400, text),
    ]
    for frame in made:
        assert BOUNDARY.encode() not in frame
        meta, read = json.loads(frame)
        assert meta["headers"]["RCRequestId"]
        assert text in (read.get("text"), read.get("message"))


def test_a_failure_has_a_body_object_always_and_a_success_none_where_there_is_none() -> None:
    assert json.loads(frames.answer("m", 404, {}, b""))[1]["message"]
    assert len(json.loads(frames.answer("m", 204, {}, b""))) == 1
