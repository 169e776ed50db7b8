from __future__ import annotations

import json
from pathlib import Path

import pytest

from bellwire import __version__
from bellwire.families import REGISTRY
from bellwire.settings import declarations
from tests.command_line import run

COMMANDS = ["serve", "dev", "env", "listen", "publish", "families", "explain", "subscriptions", "admin", "settings"]


def test_the_version_is_said() -> None:
    assert run("--version").out == f"bellwire {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    finished = run(command, "--help")

    assert finished.exit_code == 0
    assert "Usage:" in finished.out


def test_help_lists_every_command() -> None:
    listed = run("--help").out

    assert all(command in listed for command in COMMANDS)


@pytest.mark.parametrize("arguments", [("nonsense",), ("dev", "--port", "70000"), ("listen", "--status", "99")])
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_families_are_listed_and_each_can_be_shown() -> None:
    listed = run("families").out

    for family in REGISTRY.families:
        assert f"\n{family.name} " in f"\n{listed}"
        shown = run("families", family.name)
        assert shown.exit_code == 0
        assert all(template.path in shown.out for template in family.templates)


def test_families_as_json_hold_schema_and_sample() -> None:
    [shown, *_] = json.loads(run("families", "a2p_opt_out", "--json").out)

    assert shown["template"].endswith("/a2p-sms/opt-outs")
    assert {"sample", "bodySchema", "queryParameters"} <= shown.keys()


def test_a_family_that_is_not_there_gets_the_nearest_name() -> None:
    finished = run("families", "a2p_optout")

    assert finished.exit_code == 2
    assert finished.err == "bellwire: there is no event family a2p_optout; did you mean a2p_opt_out?\n"


def test_settings_are_listed() -> None:
    listed = json.loads(run("settings", "--json").out)

    assert [entry["key"] for entry in listed] == list(declarations())
    assert "BELLWIRE_PUBLIC_URL" in run("settings").out


def test_a_signing_secret_that_is_none_is_refused() -> None:
    finished = run("listen", "--port", "0", "--signing-secret", "whsec_é")

    assert finished.exit_code == 2
    assert "--signing-secret" in finished.err


def test_a_data_directory_without_credentials_says_how_to_get_some(tmp_path: Path) -> None:
    finished = run("env", "--data", str(tmp_path))

    assert finished.exit_code == 1
    assert finished.err == (
        f"bellwire: there are no demo credentials in {tmp_path}; start `bellwire dev --data {tmp_path}` first\n"
    )


def test_fields_of_a_record_are_listed_where_none_are_given() -> None:
    finished = run("admin", "extensions", "create", "--account", "1")

    assert finished.exit_code == 2
    assert "  extensionNumber: string (required)" in finished.err
