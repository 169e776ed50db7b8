"""The quick starts of docs/, done as they say by one reader in one directory, whose server and webhook stay up."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.logins import log_in
from tests.e2e.tours import LAPTOP_TOURS, PRODUCTION_TOUR, Reader, steps
from tests.pages import ROOT, blocks_run_by

DOCS = ROOT / "docs"
QUICK_STARTS = sorted(DOCS.glob("quickstart-*.md"))

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("curl") is None, reason="quick starts ask with curl"),
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(tmp_path_factory.mktemp("clone")) as reader:
        yield reader


@pytest.mark.parametrize("page", LAPTOP_TOURS, ids=lambda page: page.name)
def test_a_quick_start_works_as_it_is_told(reader: Reader, page: Path) -> None:
    done = reader.do(page.read_text())

    assert {"run", "shows"} <= set(done)


def test_the_way_to_production_works_as_it_is_told(tmp_path: Path) -> None:
    beginning, heading, rest = PRODUCTION_TOUR.read_text().partition("**4. Provision**")
    with Reader(tmp_path, replaced={"/var/lib/bellwire": str(tmp_path / "state")}) as reader:
        done = reader.do(beginning)
        reader.replaced["bwa_…"] = first_admin_key(reader)
        done += reader.do(heading + rest)
        assert {"application.json", "jwt.json", "publisher.json"} <= {file.name for file in tmp_path.iterdir()}

    assert done.count("run") == 3


def first_admin_key(reader: Reader) -> str:
    [key] = re.findall(r"bwa_\S+", "\n".join(reader.terminal("production").shown()))
    assert isinstance(key, str)
    return key


def test_what_is_provisioned_can_log_in(tmp_path: Path) -> None:
    """The commands of docs/operation.md, where `ID` is what an earlier one printed, and a login with what they made."""
    [block] = blocks_run_by("tests/e2e/test_quick_starts.py::test_what_is_provisioned_can_log_in")
    beginning = PRODUCTION_TOUR.read_text().partition("**3. The proxy.**")[0]
    made: dict[str, dict[str, str]] = {}
    with Reader(tmp_path, replaced={"/var/lib/bellwire": str(tmp_path / "state")}) as reader:
        reader.do(beginning)
        reader.replaced["bwa_…"] = first_admin_key(reader)
        terminal = reader.terminal("")
        for line in block.splitlines():
            before = len(terminal.shown())
            reader.do(f"<!-- tour: run -->\n```sh\n{line}\n```\n")
            if kind := re.match(r"bellwire admin (\S+) create", line):
                made[kind[1]] = dict(re.findall(r"^(\w+) +(.*)$", "\n".join(terminal.shown()[before:]), re.MULTILINE))
                for placeholder, of in (
                    ("--account ID", "accounts"),
                    ("accountId=ID", "accounts"),
                    ("--extension ID", "extensions"),
                ):
                    if of in made:
                        reader.replaced[placeholder] = placeholder.replace("ID", made[of]["id"])
        [url] = re.findall(r"on (http://\S+)", "\n".join(reader.terminal("production").shown()))
        application = made["applications"]
        login = log_in(
            url, client=application["clientId"], secret=application["clientSecret"], jwt=made["jwts"]["token"]
        )
    assert login["owner_id"] == made["extensions"]["id"]
    assert made["publisher-keys"]["accountId"] == made["accounts"]["id"]


@pytest.mark.parametrize("page", QUICK_STARTS, ids=lambda page: page.name)
def test_what_a_quick_start_shows_follows_a_step(page: Path) -> None:
    """Output that nothing compares is output that nobody believes."""
    text = page.read_text()

    assert text.count("```text\n") == [step.verb for step in steps(text)].count("shows")
