"""The pages of the documentation, and their code blocks with what a comment says of who does them.

A comment stands in the line before its block: `tour: …` (tests/e2e/tours.py), `test: PATH::NAME` names the test that
runs it, and `no test: WHY` says why none can here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")])
_BLOCK = re.compile(
    r"(?:^<!-- (?P<kind>tour|test|no test): (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<content>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    page: Path
    line: int
    """Of the fence, from 1."""
    language: str
    content: str
    kind: str
    """`tour`, `test`, `no test`, or empty where no comment is before it."""
    mark: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """A page's blocks, in order; of these languages where some are given."""
    return [block for block in _blocks(page) if not languages or block.language in languages]


def blocks_run_by(name: str) -> list[str]:
    """The blocks that say that this test runs them, in order.

    Args:
        name: the path of the file, two colons, and the function's name.
    """
    return [block.content for page in PAGES for block in _blocks(page) if (block.kind, block.mark) == ("test", name)]


def without_blocks(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("language")) + 1
        kind, mark = found["kind"] or "", found["mark"] or ""
        yield Block(page, line, found["language"], found["content"], kind, mark)
