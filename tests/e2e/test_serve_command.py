"""`bellwire serve` as an operator runs it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import httpx

from tests.command_line import run
from tests.e2e.processes import BellwireProcess


def test_a_bad_configuration_is_refused_with_all_problems_each_with_its_key(tmp_path: Path) -> None:
    result = run(
        "serve",
        environ={
            "BELLWIRE_DATA_DIR": str(tmp_path / "data"),
            "BELLWIRE_PORT": "many",
            "BELLWIRE_WEBHOOK_ALLOW_HTTP": "true",
            "BELLWIRE_PUBLIC_ULR": "https://a.example.com",
        },
    )

    assert (result.exit_code, result.out) == (2, "")
    for key in ("BELLWIRE_PORT:", "webhook_allow_http:", "BELLWIRE_PUBLIC_ULR: no such setting; did you mean"):
        assert key in result.err
    assert not (tmp_path / "data").exists()


def test_check_says_whether_a_configuration_is_accepted_and_starts_nothing(tmp_path: Path) -> None:
    result = run("serve", "--check", environ={"BELLWIRE_DATA_DIR": str(tmp_path / "data")})

    assert (result.exit_code, result.out) == (0, "the configuration is accepted\n")
    assert not (tmp_path / "data").exists()


def test_it_serves_prints_its_first_admin_key_once_has_no_demo_credentials_and_stops_on_sigterm(
    tmp_path: Path,
) -> None:
    data, config = tmp_path / "data", tmp_path / "bellwire.toml"
    config.write_text(f'data_dir = "{data}"\nport = 0\n')

    keys = []
    for _ in range(2):
        with BellwireProcess("serve", "--config", str(config)) as serve:
            url = serve.url()
            assert httpx.get(f"{url}/bellwire/v1/ready", trust_env=False).status_code == 200
            assert run("env", "--data", str(data)).exit_code == 1
            assert {path.name for path in (data, *data.iterdir()) if path.stat().st_mode & 0o077} == set()
            assert serve.stop(signal.SIGTERM) == 0
            keys.append(re.findall(r"bwa_\S+", serve.everything()))
            assert "Traceback" not in serve.everything()

    assert [len(found) for found in keys] == [1, 0]
