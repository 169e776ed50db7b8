"""Blocks of pages that are no tours, done as they are written, by one reader with a running server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from bellwire.cli.data_directory import demo_environment
from tests.e2e.processes import clean_environment
from tests.e2e.socket_programs import HAS_NODE, JAVASCRIPT, NODE
from tests.e2e.tours import ROOT, Reader

SERVER = """
<!-- tour: start server -->
```sh
. .venv/bin/activate
bellwire dev --no-traffic
```

<!-- tour: shows server -->
```text
Bellwire runs, for development. Ctrl-C stops.
```

<!-- tour: run -->
```sh
. .venv/bin/activate
bellwire env > .env
set -a; . ./.env; set +a
```
"""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clone")


@pytest.fixture(scope="module")
def reader(directory: Path) -> Iterator[Reader]:
    with Reader(directory) as reader:
        reader.do(SERVER)
        yield reader


@pytest.fixture(scope="module")
def environment(reader: Reader, directory: Path) -> dict[str, str]:
    """What `bellwire env` prints."""
    return dict(demo_environment(directory / ".bellwire"))


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def ran(command: Sequence[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, check=False, env=clean_environment(environment), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr


def test_what_explain_says_is_what_it_says(reader: Reader) -> None:
    assert reader.do((ROOT / "docs" / "explain.md").read_text()) == ["fails", "shows"]


def test_the_event_and_the_answer_of_publishing_are_real(environment: dict[str, str]) -> None:
    event, answer = (json.loads(block) for block in blocks("publishing.md", "json"))

    def published(body: Any) -> Any:
        key = environment["BELLWIRE_PUBLISHER_KEY"]
        found = httpx.post(
            f"{environment['RC_SERVER_URL']}/bellwire/v1/events",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=30,
        )
        assert found.status_code == 202, found.text
        return found.json()

    assert published(event)["accepted"] == 1
    others = [{**event, "uuid": f"other-{number}"} for number in range(3)]
    others[1]["body"] = {name: value for name, value in event["body"].items() if name != "from"}
    assert published(others) == answer


def test_a_python_program_moves_with_the_block_as_it_is(environment: dict[str, str]) -> None:
    [block] = blocks("quickstart-move.md", "python")
    ran([sys.executable, "-c", block + "assert sdk.platform().logged_in()\n"], environment)


@pytest.mark.skipif(not HAS_NODE, reason="node and its packages are not here (tests/e2e/javascript)")
def test_a_javascript_program_moves_with_the_block_as_it_is(environment: dict[str, str]) -> None:
    [block] = blocks("quickstart-move.md", "js")
    judged = block.replace("sdk.platform().login(", "const login = sdk.platform().login(")
    judged += "login.then(() => sdk.platform().loggedIn()).then(is => process.exit(is ? 0 : 1));\n"
    ran([str(NODE), "-e", judged], {**environment, "NODE_PATH": str(JAVASCRIPT / "node_modules")})
