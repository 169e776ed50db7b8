"""`bellwire dev --seed`, and a reset under the built-in traffic, as their users see them."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from tests.command_line import run
from tests.e2e.processes import BellwireProcess, bellwire

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "development-controls.md"


def test_the_documented_seed_file_is_loaded_at_start(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    assert example is not None
    (tmp_path / "seed.yaml").write_text(example[1])

    with BellwireProcess(
        *("dev", "--no-traffic", "--port", "0", "--data", str(tmp_path / "data")),
        *("--seed", str(tmp_path / "seed.yaml"), "--env-file", str(tmp_path / "found.env")),
    ) as process:
        answer = httpx.post(
            f"{process.url()}/restapi/oauth/token",
            data={"grant_type": "password", "username": "ida@tern.example", "password": "correct horse"},
            auth=("till", "a secret for tests"),
            trust_env=False,
        )

        written = (tmp_path / "found.env").read_text()
    assert answer.status_code == 200, answer.text
    assert written == run("env", "--data", str(tmp_path / "data")).out


def test_a_broken_seed_file_is_refused_with_all_that_is_wrong_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text("accounts: [{id: 1}]\nnumbers: [{accountId: 2, phoneNumber: 555}]\n")

    result = bellwire(
        *("dev", "--no-traffic", "--port", "0", "--data", str(tmp_path / "data"), "--seed", str(tmp_path / "seed.yaml"))
    )

    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "accounts[0].companyName: " in result.stderr
    assert "numbers[0].phoneNumber: " in result.stderr


def test_a_seed_file_that_is_not_there_is_one_plain_line(tmp_path: Path) -> None:
    result = bellwire("dev", "--no-traffic", "--port", "0", "--data", str(tmp_path / "data"), "--seed", "none.yaml")

    assert (result.returncode, result.stderr) == (2, "bellwire: none.yaml can't be read: No such file or directory\n")


def test_the_built_in_traffic_goes_on_after_a_reset(tmp_path: Path) -> None:
    with BellwireProcess("dev", "--port", "0", "--data", str(tmp_path / "data")) as process:
        url = process.url()
        process.line_with("/account/400100/")

        reset = httpx.post(f"{url}/bellwire/v1/dev/reset", trust_env=False, timeout=30)

        assert reset.status_code == 204
        seen = len(process.output)
        process.line_with("/account/400100/")
        while not any("/account/400100/" in line for line in process.output[seen:]):
            process.line_with("/account/400100/")
        assert process.stop() == 0
