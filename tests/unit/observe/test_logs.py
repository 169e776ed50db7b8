from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bellwire.observe.logs import blank_secrets, set_up_logs


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_name_level_time_and_fields() -> None:
    stream = io.StringIO()
    set_up_logs(level="info", json_lines=True, stream=stream)

    structlog.get_logger().info("subscription.suspended", subscription_id="s1", failures=3)

    [line] = lines_of(stream)
    assert line["event"] == "subscription.suspended"
    assert (line["level"], line["subscription_id"], line["failures"]) == ("info", "s1", 3)
    assert line["timestamp"].endswith("Z")


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    set_up_logs(level="warning", json_lines=True, stream=stream)

    structlog.get_logger().info("delivery.attempted")
    structlog.get_logger().warning("delivery.failed")

    assert [line["event"] for line in lines_of(stream)] == ["delivery.failed"]


def test_secrets_are_blanked_out() -> None:
    stream = io.StringIO()
    set_up_logs(level="info", json_lines=True, stream=stream)

    structlog.get_logger().info("login.refused", password="hunter2", client_id="c1")

    assert "hunter2" not in stream.getvalue()
    assert lines_of(stream)[0]["client_id"] == "c1"


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Authorization",
        "verification_token",
        "verificationToken",
        "Validation-Token",
        "signingSecret",
        "new_password",
        "ws_access_token",
        "tokens",
        "jwt",
        "assertion",
        "set-cookie",
        "key",
        "admin_key",
        "apiKey",
    ],
)
def test_a_field_with_a_secret_s_name_is_blanked_out_however_it_is_spelled(name: str) -> None:
    assert blank_secrets(None, "info", {"event": "x", name: "hunter2"}) == {"event": "x", name: "…"}


@pytest.mark.parametrize("name", ["client_id", "ordering_key", "monkey", "session", "path", "reason", "partition_key"])
def test_other_fields_are_left_alone(name: str) -> None:
    assert blank_secrets(None, "info", {"event": "x", name: "kept"})[name] == "kept"


def test_lines_of_libraries_have_the_same_form_once_however_often_it_is_set_up() -> None:
    stream = io.StringIO()
    set_up_logs(level="debug", json_lines=True, stream=io.StringIO())
    set_up_logs(level="debug", json_lines=True, stream=stream)

    logging.getLogger("some.library").warning("it is %s", "late")
    logging.getLogger("some.library").info("chatter")

    [line] = lines_of(stream)
    assert (line["event"], line["logger"], line["level"]) == ("it is late", "some.library", "warning")


def test_people_get_text_without_colour_codes_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    set_up_logs(level="info", json_lines=False, stream=stream)

    structlog.get_logger().info("server.started", port=8710)

    assert "server.started" in stream.getvalue()
    assert "port=8710" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def _fail_with(password: str) -> None:
    """Fails in a frame that holds a secret, beside which the line of code says nothing of it."""
    raise ZeroDivisionError


@pytest.mark.parametrize("json_lines", [True, False])
@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("of_library", [True, False])
def test_a_traceback_shows_where_it_failed_and_no_variables(
    json_lines: bool, is_terminal: bool, of_library: bool
) -> None:
    stream = Terminal() if is_terminal else io.StringIO()
    set_up_logs(level="info", json_lines=json_lines, stream=stream)

    try:
        _fail_with("hunter2-" + "x" * 3)
    except ZeroDivisionError:
        if of_library:
            logging.getLogger("some.library").exception("it.failed")
        else:
            structlog.get_logger().exception("it.failed")

    written = stream.getvalue()
    assert "it.failed" in written
    assert "ZeroDivisionError" in written
    assert "_fail_with" in written
    assert "hunter2-xxx" not in written
    assert "locals" not in written


class Terminal(io.StringIO):
    """Where colours are shown."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_line_that_cannot_be_written_is_left_out_and_nobody_notices(json_lines: bool) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - every write to it says that the disk is full
        set_up_logs(level="info", json_lines=json_lines, stream=full)

        structlog.get_logger().error("storage.disk_low", free_bytes=0)
        logging.getLogger("a.library").error("it says so, too")

        with contextlib.suppress(OSError):  # what the stream has kept meanwhile
            full.close()
