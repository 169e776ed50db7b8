"""The quick starts of docs/, done as they say by one reader in one directory, whose server and webhook stay up."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.tours import ROOT, Reader, steps

DOCS = ROOT / "docs"
QUICK_STARTS = sorted(DOCS.glob("quickstart-*.md"))
ON_A_LAPTOP = ("quickstart-sms-events.md", "quickstart-batch.md", "quickstart-ci.md")

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("curl") is None, reason="quick starts ask with curl"),
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(tmp_path_factory.mktemp("clone")) as reader:
        yield reader


@pytest.mark.parametrize("page", ON_A_LAPTOP)
def test_a_quick_start_works_as_it_is_told(reader: Reader, page: str) -> None:
    done = reader.do((DOCS / page).read_text())

    assert {"run", "shows"} <= set(done)


def test_the_way_to_production_works_as_it_is_told(tmp_path: Path) -> None:
    beginning, heading, rest = (DOCS / "quickstart-production.md").read_text().partition("**4. Provision**")
    with Reader(tmp_path, replaced={"/var/lib/bellwire": str(tmp_path / "state")}) as reader:
        done = reader.do(beginning)
        [key] = re.findall(r"bwa_\S+", "\n".join(reader.terminal("production").shown()))
        reader.replaced["bwa_…"] = key
        done += reader.do(heading + rest)
        assert {"application.json", "jwt.json", "publisher.json"} <= {file.name for file in tmp_path.iterdir()}

    assert done.count("run") == 3


@pytest.mark.parametrize("page", QUICK_STARTS, ids=lambda page: page.name)
def test_what_a_quick_start_shows_follows_a_step(page: Path) -> None:
    """Output that nothing compares is output that nobody believes."""
    text = page.read_text()

    assert text.count("```text\n") == [step.verb for step in steps(text)].count("shows")
