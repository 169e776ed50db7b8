"""Code blocks and commands in the documentation: what no tour runs (tests/e2e/tours.py) is at least right in itself."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from bellwire.cli import app
from bellwire.configuration import CLIENT_VARIABLES, CONFIG_FILE_VARIABLE, load_settings
from bellwire.settings import ENVIRONMENT_PREFIX, Mode, declarations
from tests.e2e.tours import TOURS
from tests.pages import PAGES, ROOT, Block, blocks, without_blocks

COMMAND = re.compile(r"(?:^|\| |\$\(|exec bellwire )bellwire(?: (?P<words>[^\n|)]*))?", re.MULTILINE)
READ_HERE = {"toml", "json", "yaml"}
"""Data: that it is right in itself is what is asked of it."""
DONE = {"", "sh", "python", "py", "js", "nginx", "caddy"}
"""What somebody does or runs, so that a test does, or a comment says why none can."""
SHOWN = {"text"}
"""What a terminal shows; a tour compares it where it is told to."""

on_every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@on_every_page
def test_configurations_are_accepted(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "toml"):
        file = tmp_path / "bellwire.toml"
        file.write_text(block.content)
        assert tomllib.loads(block.content)
        load_settings({}, file, Mode.SERVE, overrides={"data_dir": tmp_path / "data"})


@on_every_page
def test_data_and_programs_can_be_read(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block.content)
    for block in blocks(page, "yaml"):
        assert yaml.safe_load(block.content)
    for block in blocks(page, "python", "py"):
        compile(block.content, str(block), "exec")
    assert {block.language for block in blocks(page)} <= READ_HERE | DONE | SHOWN


@on_every_page
def test_every_block_that_somebody_does_is_done_by_a_test_or_says_why_not(page: Path) -> None:
    trouble = [(str(block), found) for block in blocks(page, *DONE) if (found := what_is_missing(block)) is not None]

    assert trouble == []


def what_is_missing(block: Block) -> str | None:
    match block.kind:
        case "tour":
            return None if block.page in TOURS else "no test goes on this page's tour"
        case "test":
            path, _, name = block.mark.partition("::")
            file = ROOT / path
            found = file.is_file() and re.search(
                rf"^(?:async )?def {re.escape(name)}\(", file.read_text(), re.MULTILINE
            )
            return None if found else f"there is no test {block.mark}"
        case "no test":
            return None
        case _:
            return "a comment before it must say which test runs it (tests/pages.py)"


def test_a_block_that_no_test_runs_is_found() -> None:
    block = Block(ROOT / "README.md", 1, "sh", "true\n", "tour", "run")

    assert what_is_missing(block) is None
    assert what_is_missing(replace(block, page=ROOT / "CHANGELOG.md")) == "no test goes on this page's tour"
    assert (
        what_is_missing(replace(block, kind="")) == "a comment before it must say which test runs it (tests/pages.py)"
    )
    named = replace(block, kind="test", mark="tests/unit/test_documentation_blocks.py::test_there_is_none")
    assert what_is_missing(named) == f"there is no test {named.mark}"


def test_few_blocks_are_left_out() -> None:
    kinds = [block.kind for page in PAGES for block in blocks(page, *DONE)]

    assert len(kinds) >= 60
    assert kinds.count("no test") <= 6


def test_the_kinds_of_blocks_are_there() -> None:
    """The pattern finds blocks: were it broken, everything above would pass."""
    found = {block.language for page in PAGES for block in blocks(page)}

    for language in ("sh", "text", "toml", "json", "yaml", "python", "nginx"):
        assert language in found


def commands(page: Path) -> Iterator[list[str]]:
    """Every use of the command line: lines of blocks, and what is in code marks within a sentence."""
    for block in blocks(page, "sh", ""):
        for found in COMMAND.finditer(re.sub(r"\\\n *", " ", block.content)):
            yield _words(found["words"] or "")
    for found in re.finditer(r"`bellwire ([^`]+)`", without_blocks(page)):
        yield _words(found[1])


def _words(text: str) -> list[str]:
    text = text.split(" > ", maxsplit=1)[0].split(" < ", maxsplit=1)[0].split(" # ", maxsplit=1)[0].removesuffix("&")
    try:
        return shlex.split(text)
    except ValueError:  # a text in quotation marks that goes on in the next line
        return text.split()


def trouble_with(words: list[str]) -> str | None:
    """What the command line would not understand; placeholders (`ID`, `…`) may stand for arguments."""
    here: Any = typer.main.get_command(app)
    rest = list(words)
    while rest and hasattr(here, "commands") and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name == "…":
            return None
        if name not in here.commands:
            return f"no command {name!r}"
        here = here.commands[name]
    options = {"--help", "-h"} | {spelled for p in here.params for spelled in (*p.opts, *p.secondary_opts)}
    unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in options]
    return f"no option {unknown}" if unknown else None


@on_every_page
def test_commands_and_their_options_exist(page: Path) -> None:
    trouble = [(" ".join(words), found) for words in commands(page) if (found := trouble_with(words)) is not None]

    assert trouble == []


def test_an_option_that_there_is_not_is_found() -> None:
    assert trouble_with(["sms", "send", "--to", "+12025550101", "Hello"]) is None
    assert trouble_with(["sms", "send", "--form", "+12025550101"]) == "no option ['--form']"
    assert trouble_with(["smss"]) == "no command 'smss'"
    assert len([words for page in PAGES for words in commands(page)]) > 60


@on_every_page
def test_variables_that_are_named_exist(page: Path) -> None:
    own = {ENVIRONMENT_PREFIX + key.upper() for key in declarations()} | CLIENT_VARIABLES | {CONFIG_FILE_VARIABLE}
    named = set(re.findall(r"\bBELLWIRE_[A-Z][A-Z_0-9]*[A-Z0-9]\b", page.read_text()))

    assert named <= own


@on_every_page
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE))

    assert named <= targets
