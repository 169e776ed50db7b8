"""What Bellwire is installed from: every package pinned, with hashes, from the index alone, under a known licence.

Whether one of them has a known vulnerability is asked of an advisory service, beside the tests: `tests/advisories.py`.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.licences import REQUIREMENTS, licences, page, pinned

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.name for path in REQUIREMENTS.glob("*.txt"))
PIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*==[A-Za-z0-9.+!]+(?: ; [^\\\n]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n")
LICENCES = (
    "Apache",
    "BSD",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Mozilla Public License 2.0",
    "PSF-2.0",
    "Python Software Foundation",
    "any-OSI",
    "Lesser General Public License",
)
"""Those that a program under Apache-2.0 may be used with, and given on."""


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(requirements: list[str]) -> set[str]:
    return {normalized(re.split(r"[\[>=<~! ;]", requirement)[0]) for requirement in requirements}


def test_there_is_a_file_for_each_use() -> None:
    assert FILES == ["audit.txt", "bench.txt", "build.txt", "lock.txt", "run.txt", "test.txt"]


@pytest.mark.parametrize("name", FILES)
def test_every_package_is_pinned_with_hashes_and_nothing_else_is_said(name: str) -> None:
    text = "".join(line for line in (REQUIREMENTS / name).read_text().splitlines(True) if not line.startswith("#"))

    assert PIN.sub("", text) == "", "no ranges, no addresses, no other indexes"
    assert pinned(name)


def test_all_that_is_declared_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    build = [line for line in (REQUIREMENTS / "build.in").read_text().splitlines() if not line.startswith("#")]

    assert wanted(project["dependencies"] + extras["console"]) <= pinned("run.txt").keys()
    assert wanted(project["dependencies"] + extras["test"]) <= pinned("test.txt").keys()
    assert wanted(build) <= pinned("build.txt").keys()


def test_what_is_tested_is_what_is_run() -> None:
    run, tested, build = pinned("run.txt"), pinned("test.txt"), pinned("build.txt")

    assert {name: tested.get(name) for name in run} == run
    assert {name: tested.get(name) for name in build} == build


@pytest.mark.skipif(
    "CI" not in os.environ and Path(sys.prefix) != ROOT / ".venv", reason="this is not the environment of `make test`"
)
def test_what_is_installed_is_what_is_pinned() -> None:
    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None  # for another system

    assert {
        name: found for name, pin in pinned("test.txt").items() if (found := installed(name)) not in (None, pin)
    } == {}


def test_every_licence_is_known_and_listed() -> None:
    unknown = {package: licence for package, licence in licences() if not any(known in licence for known in LICENCES)}

    assert unknown == {}
    assert (ROOT / "docs" / "licences.md").read_text() == page(), "run `make docs`"


def test_what_audits_does_not_share_an_environment_with_what_runs() -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert "pip-audit" not in pinned("test.txt").keys() | pinned("run.txt").keys()
    assert re.search(r"^audit:.*\n\t.*tests\.advisories \$\(VENV\)/audit/bin/pip-audit ", makefile, re.MULTILINE)
