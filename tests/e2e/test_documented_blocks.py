"""Blocks of pages that are no tours, done as they are written, by one reader with a running server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bellwire.cli.data_directory import demo_environment
from bellwire.families import presence
from tests.e2e.logins import log_in
from tests.e2e.processes import clean_environment
from tests.e2e.socket_programs import HAS_NODE, JAVASCRIPT, NODE
from tests.e2e.tours import BACKUP_TOUR, EXPLAIN_TOUR, README_TOUR, Reader
from tests.pages import ROOT, blocks, blocks_run_by

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
needs_node = pytest.mark.skipif(not HAS_NODE, reason="node and its packages are not here (tests/e2e/javascript)")


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


def of(test: str) -> list[str]:
    """The blocks that name this test as theirs."""
    found = blocks_run_by(f"tests/e2e/test_documented_blocks.py::{test}")
    assert found, f"no block names {test}"
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    answer: httpx.Response
    told: Any
    """The answer that the block shows; None where it shows none."""


REQUEST = re.compile(
    r"^(?P<method>GET|POST|PUT|PATCH|DELETE) +(?P<path>\S+)(?: +(?P<inline>\{.*\}))?\n"
    r"(?P<headers>(?:[\w-]+: .*\n)*)\n?(?P<body>\{.*\n)?(?:→ (?P<told>.*)\n)?",
    re.MULTILINE,
)


def asked(block: str, environment: dict[str, str], bearer: str | None = None) -> list[Asked]:
    """Make each request of a block, which has nothing beside them; `<publisher key>` is the demo's."""
    assert REQUEST.sub("", block).strip() == ""
    done: list[Asked] = []
    with httpx.Client(base_url=environment["RC_SERVER_URL"], trust_env=False, timeout=30) as http:
        for found in REQUEST.finditer(block):
            written = found["headers"].replace("<publisher key>", environment["BELLWIRE_PUBLISHER_KEY"])
            headers = dict(line.split(": ", 1) for line in written.splitlines())
            if bearer is not None:
                headers["Authorization"] = f"Bearer {bearer}"
            body = found["inline"] or found["body"]
            content = None if body is None else json.loads(body)
            answer = http.request(found["method"], found["path"], headers=headers, json=content)
            told = None if found["told"] is None else json.loads(found["told"])
            done.append(Asked(answer, told))
    return done


def ran(command: Sequence[str], environment: dict[str, str]) -> str:
    """Run a program to its end; returns what it printed."""
    done = subprocess.run(
        command, check=False, env=clean_environment(environment), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_explain_says_is_what_it_says(reader: Reader) -> None:
    assert reader.do(EXPLAIN_TOUR.read_text()) == ["fails", "shows"]


def test_the_event_and_the_answer_of_publishing_are_real(environment: dict[str, str]) -> None:
    event, answer = (json.loads(block.content) for block in blocks(ROOT / "docs" / "publishing.md", "json"))

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
    [block] = of("test_a_python_program_moves_with_the_block_as_it_is")
    ran([sys.executable, "-c", block + "assert sdk.platform().logged_in()\n"], environment)


@needs_node
def test_a_javascript_program_moves_with_the_block_as_it_is(environment: dict[str, str]) -> None:
    [block] = of("test_a_javascript_program_moves_with_the_block_as_it_is")
    judged = block.replace("sdk.platform().login(", "const login = sdk.platform().login(")
    judged += "login.then(() => sdk.platform().loggedIn()).then(is => process.exit(is ? 0 : 1));\n"
    ran_by_node(judged, environment)


def ran_by_node(program: str, environment: dict[str, str]) -> str:
    return ran([str(NODE), "-e", program], {**environment, "NODE_PATH": str(JAVASCRIPT / "node_modules")})


@needs_node
def test_a_javascript_program_is_notified_by_the_lines_as_they_are(environment: dict[str, str]) -> None:
    [block] = of("test_a_javascript_program_is_notified_by_the_lines_as_they_are")
    extension = (
        f"/restapi/v1.0/account/{environment['BELLWIRE_ACCOUNT_ID']}/extension/{environment['BELLWIRE_EXTENSION_ID']}"
    )
    event = json.dumps({"event": f"{extension}/presence", "body": presence.FAMILY.sample})
    around = f"""
const {{ SDK }} = require('@ringcentral/sdk');
const {{ Subscriptions }} = require('@ringcentral/subscriptions');
const {{ RC_SERVER_URL, RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT, BELLWIRE_PUBLISHER_KEY }} = process.env;
(async () => {{
const sdk = new SDK({{ server: RC_SERVER_URL, clientId: RC_APP_CLIENT_ID, clientSecret: RC_APP_CLIENT_SECRET }});
await sdk.platform().login({{ jwt: RC_USER_JWT }});
{block}
subscription.on(subscription.events.notification, () => process.exit(0));
const headers = {{ authorization: `Bearer ${{BELLWIRE_PUBLISHER_KEY}}`, 'content-type': 'application/json' }};
await fetch(`${{RC_SERVER_URL}}/bellwire/v1/events`, {{ method: 'POST', headers, body: {event!r} }});
setTimeout(() => process.exit(2), 30000);
}})().catch((error) => {{ console.error(error); process.exit(1); }});
"""
    assert f"event: '{extension}/presence'" in ran_by_node(around, environment)


def test_the_test_in_the_readme_passes(tmp_path: Path) -> None:
    [block] = of("test_the_test_in_the_readme_passes")
    (tmp_path / "test_texts.py").write_text(block)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]

    assert "1 passed" in ran(command, {})


def test_the_configuration_in_the_readme_is_accepted_and_served(tmp_path: Path) -> None:
    [block] = of("test_the_configuration_in_the_readme_is_accepted_and_served")
    check, serve = block.splitlines()
    [configuration] = [one.content for one in blocks(README_TOUR, "toml")]
    (tmp_path / "bellwire.toml").write_text(configuration.replace("/var/lib/bellwire", str(tmp_path / "state")))
    page = f"""
<!-- tour: run -->
```sh
{check}
```

<!-- tour: shows -->
```text
the configuration is accepted
```

<!-- tour: start server -->
```sh
{serve}
```

<!-- tour: shows server -->
```text
bellwire serves https://events.example.com on http://127.0.0.1:8710
```
"""
    with Reader(tmp_path) as reader:
        assert len(reader.do(page)) == 4


def test_a_backup_is_made_and_restored_as_it_says(tmp_path: Path) -> None:
    """Beside a running server; then what it ran on is moved away, and the copy put in its place."""
    start = "<!-- tour: start server -->\n```sh\nbellwire serve\n```\n"
    serves = "<!-- tour: shows server -->\n```text\nbellwire serves …\n```\n"
    stop = "<!-- tour: stop server -->\n"
    replaced = {"DIR": "state", "TO": "copy"}
    with Reader(tmp_path, replaced=replaced, environ={"BELLWIRE_DATA_DIR": str(tmp_path / "state")}) as reader:
        backup, restore = BACKUP_TOUR.read_text().split("To restore", maxsplit=1)
        assert reader.do(start + serves + backup + stop) == ["start", "shows", "run", "stop"]
        (tmp_path / "state").rename(tmp_path / "lost")
        assert reader.do(restore + serves) == ["run", "start", "shows"]


def test_the_clock_is_moved_and_read_as_it_says(environment: dict[str, str]) -> None:
    [block] = of("test_the_clock_is_moved_and_read_as_it_says")
    moved, read = asked(block, environment)

    assert moved.answer.status_code == read.answer.status_code == 200, moved.answer.text
    now = read.answer.json()
    assert now.keys() == read.told.keys()
    assert now["aheadSeconds"] == pytest.approx(read.told["aheadSeconds"], abs=1)


def test_faults_are_made_and_cleared_as_it_says(environment: dict[str, str]) -> None:
    [block] = of("test_faults_are_made_and_cleared_as_it_says")
    done = asked(block, environment)

    assert [one.answer.status_code for one in done] == [201, 201, 201, 200, 204, 204], [one.answer.text for one in done]
    kinds = [made["fault"]["kind"] for made in done[3].answer.json()["records"]]
    assert kinds == ["delivery", "token", "socket"]


def test_a_batch_and_a_text_are_taken_as_they_stand(environment: dict[str, str]) -> None:
    login = log_in(
        environment["RC_SERVER_URL"],
        client=environment["RC_APP_CLIENT_ID"],
        secret=environment["RC_APP_CLIENT_SECRET"],
        jwt=environment["RC_USER_JWT"],
    )
    sending, inbound = of("test_a_batch_and_a_text_are_taken_as_they_stand")

    [batch] = asked(sending, environment, login["access_token"])
    assert batch.answer.status_code == 201, batch.answer.text
    assert (batch.answer.json()["batchSize"], batch.answer.json()["rejected"]) == (2, [])
    [text] = asked(inbound, environment)
    assert text.answer.is_success, text.answer.text
