"""What can't be listened on is the configuration's fault and named so; a port in use is not."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bellwire import __version__
from bellwire.cli.failure import CommandFailed
from bellwire.cli.listening_socket import listening_socket, trouble_with_host
from bellwire.errors import Misconfigured
from tests.command_line import run

NOT_OURS = "192.0.2.7"
"""Of a network that is for documentation alone: no machine has it."""
NO_SUCH_NAME = "no-such-host.invalid"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "here.localhost"])
def test_a_literal_address_and_local_names_are_listened_on_without_a_look_up(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_look_up(*_: object, **__: object) -> None:
        pytest.fail("a look-up")

    monkeypatch.setattr(socket, "getaddrinfo", no_look_up)

    assert trouble_with_host(host) is None
    with listening_socket(host, 0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", [NOT_OURS, NO_SUCH_NAME])
def test_a_host_that_is_not_here_is_a_problem_of_its_key(host: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        listening_socket(host, 0)

    [problem] = refusal.value.problems
    assert problem.key == "host"
    assert problem.message.startswith(f"can't listen on {host}")
    assert trouble_with_host(host) == problem


def test_a_port_in_use_is_a_failure_and_no_trouble_of_the_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandFailed, match=f"^port {port} of 127.0.0.1 is in use by another program$"):
            listening_socket("127.0.0.1", port)
        assert trouble_with_host("127.0.0.1") is None


@pytest.mark.parametrize("arguments", [("serve", "--check"), ("serve",)])
def test_serve_refuses_a_host_that_is_not_here_with_exit_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    finished = run(
        *arguments,
        environ={
            "BELLWIRE_DATA_DIR": str(tmp_path / "data"),
            "BELLWIRE_HOST": NOT_OURS,
            "BELLWIRE_PUBLIC_URL": "https://events.example.com",
        },
    )

    assert (finished.exit_code, finished.out) == (2, "")
    assert f"bellwire:   host: can't listen on {NOT_OURS}" in finished.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [("serve", "--check"), ("serve",), ("dev",)])
def test_a_data_directory_that_can_not_be_made_is_refused_with_exit_code_2(arguments: tuple[str, ...]) -> None:
    finished = run(*arguments, environ={"BELLWIRE_DATA_DIR": "/proc/x", "BELLWIRE_PORT": "0"})

    assert (finished.exit_code, finished.out) == (2, "")
    assert "bellwire:   data_dir: /proc/x can't be made in /proc" in finished.err


def test_the_command_line_runs_as_a_module() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "bellwire", "--version"], capture_output=True, text=True, timeout=60, check=True
    )

    assert finished.stdout == f"bellwire {__version__}\n"
