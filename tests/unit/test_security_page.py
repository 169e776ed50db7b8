"""`docs/security.md` says nothing that no test tries to break: each line of its tables names one, and it is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "security.md"

REFERENCE = re.compile(r"`([\w/]+\.py)::(\w+)`")
TABLE = re.compile(r"^\| (?P<what>[^|\n]*) \| test \|\n\| --- \| --- \|\n(?P<rows>(?:\|.*\n)+)", re.MULTILINE)
TOPICS = (
    "Who may do what",
    "Logging in",
    "Webhook addresses (SSRF)",
    "Requests: injection, smuggling, bombs",
    "Floods",
    "Secrets",
    "Whatever comes",
    "What it is built from",
)


def claims() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each line of the tables, and the tests that it names."""
    for table in TABLE.finditer(PAGE.read_text()):
        for row in table["rows"].splitlines():
            claim, tests = row.strip("| ").split(" | ")
            assert REFERENCE.sub("", tests).strip() == "", f"no test: {tests}"
            yield claim, REFERENCE.findall(tests)


CLAIMS = list(claims())


@cache
def names_in(file: str) -> frozenset[str]:
    """The tests of a file, those of classes among them."""
    tree = ast.parse((TESTS / file).read_text())
    found = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in found if name.startswith("test_"))


def test_every_topic_has_its_table() -> None:
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    tables = {section.partition("\n")[0]: len(TABLE.findall(section)) for section in sections}

    assert {topic: tables.get(topic) for topic in TOPICS} == dict.fromkeys(TOPICS, 1)
    assert len(CLAIMS) > 60


@pytest.mark.parametrize(("claim", "tests"), CLAIMS, ids=[claim[:60] for claim, _ in CLAIMS])
def test_each_claim_names_tests_that_there_are(claim: str, tests: list[tuple[str, str]]) -> None:
    assert tests, claim
    for file, name in tests:
        assert (TESTS / file).is_file(), file
        assert name in names_in(file), f"{file} has no {name}"


def test_every_test_of_security_is_named() -> None:
    named = {test for _claim, tests in CLAIMS for test in tests}
    theirs = {
        (str(file.relative_to(TESTS)), name)
        for folder in ("e2e/security", "unit/fuzz")
        for file in (TESTS / folder).glob("test_*.py")
        for name in names_in(str(file.relative_to(TESTS)))
    }

    assert theirs - named == set()
