"""Code blocks and commands in the documentation: what no tour runs (tests/e2e/tours.py) is at least right in itself."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from bellwire.cli import app
from bellwire.configuration import CLIENT_VARIABLES, CONFIG_FILE_VARIABLE, load_settings
from bellwire.settings import ENVIRONMENT_PREFIX, Mode, declarations

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")])
BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|\| |\$\(|exec bellwire )bellwire(?: (?P<words>[^\n|)]*))?", re.MULTILINE)
CHECKED_ELSEWHERE = {"nginx", "caddy"}
"""tests/e2e/test_production_proxy.py runs nginx; docs/deploy.md says how Caddy's block was checked."""


def blocks(page: Path, *languages: str) -> list[str]:
    return [found["content"] for found in BLOCK.finditer(page.read_text()) if found["language"] in languages]


on_every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@on_every_page
def test_configurations_are_accepted(page: Path, tmp_path: Path) -> None:
    for content in blocks(page, "toml"):
        file = tmp_path / "bellwire.toml"
        file.write_text(content)
        assert tomllib.loads(content)
        load_settings({}, file, Mode.SERVE, overrides={"data_dir": tmp_path / "data"})


@on_every_page
def test_data_and_programs_can_be_read(page: Path) -> None:
    for content in blocks(page, "json"):
        json.loads(content)
    for content in blocks(page, "yaml"):
        assert yaml.safe_load(content)
    for content in blocks(page, "python", "py"):
        compile(content, str(page), "exec")
    known = {"", "sh", "text", "toml", "json", "yaml", "python", "py", "js"} | CHECKED_ELSEWHERE
    assert {found["language"] for found in BLOCK.finditer(page.read_text())} <= known


def test_the_kinds_of_blocks_are_there() -> None:
    """The pattern finds blocks: were it broken, everything above would pass."""
    found = [language for page in PAGES for language, _ in BLOCK.findall(page.read_text())]

    for language in ("sh", "text", "toml", "json", "yaml", "python", "nginx"):
        assert language in found


def commands(page: Path) -> Iterator[list[str]]:
    """Every use of the command line: lines of blocks, and what is in code marks within a sentence."""
    for block in blocks(page, "sh", ""):
        for found in COMMAND.finditer(re.sub(r"\\\n *", " ", block)):
            yield _words(found["words"] or "")
    text = BLOCK.sub("", page.read_text())
    for found in re.finditer(r"`bellwire ([^`]+)`", text):
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
