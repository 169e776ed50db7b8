from __future__ import annotations

import json
import signal
import socket

import httpx

from tests.command_line import run
from tests.e2e.processes import BellwireProcess


def test_it_shows_handshake_and_notification_answers_as_told_and_stops_after_the_count() -> None:
    with BellwireProcess("listen", "--port", "0", "--status", "503", "--count", "1") as listening:
        url = listening.url()
        handshake = httpx.post(url, headers={"Validation-Token": "abc"}, trust_env=False)
        notification = httpx.post(url, json={"uuid": "1"}, trust_env=False)
        exit_code = listening.wait()
        shown = listening.everything()

    assert (handshake.status_code, handshake.headers["validation-token"]) == (200, "abc")
    assert notification.status_code == 503
    assert exit_code == 0
    assert "handshake  POST /  Validation-Token: abc" in shown
    assert '"uuid": "1"' in shown
    assert shown.endswith("1 notifications received\n")


def test_a_wrong_verification_token_is_said_and_answered_401() -> None:
    with BellwireProcess("listen", "--port", "0", "--verification-token", "right", "--json") as listening:
        answer = httpx.post(listening.url(), json={}, headers={"Verification-Token": "wrong"}, trust_env=False)
        shown = json.loads(listening.line_with('"notification"'))
        exit_code = listening.stop(signal.SIGINT)

    assert answer.status_code == 401
    assert shown["problems"] == ["Verification-Token is not the one expected"]
    assert exit_code == 0


def test_a_port_that_is_taken_is_one_plain_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = run("listen", "--port", str(port))

    assert finished.exit_code == 1
    assert finished.err == f"bellwire: port {port} is in use by another program; `--port 0` takes a free one\n"
